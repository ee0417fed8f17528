/*
 * word_keeper.c SOCKET - a server that keeps addresses of its own constants and functions where no type shows them.
 *
 * It listens on the UNIX socket SOCKET, prints "ready", and answers one letter a connection:
 *   a   keeps one more note: its text's and its speaker's addresses, as numbers
 *   r   "TEXT:SPEAKER'S ANSWER" of each note, oldest first, as the addresses lead to them
 *   f   frees all notes
 *   e   the value of WORD in the environment, and the first argument behind SOCKET
 * -DLATER moves every function and constant, as another version would.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct note {
    unsigned long text, speaker;
    struct note *next;
};
static struct note *notes, **last = &notes;
static int count;
static const char *extra;

#ifdef LATER
static const char filler[] = "what another version has in front of all other constants";
__attribute__((noinline)) static int new_answer(int number) { return number * 3 + (int)strlen(filler); }
#endif

__attribute__((noinline)) static int double_of(int number) { return number * 2 + (int)(getpid() < 0); }
__attribute__((noinline)) static int square_of(int number) { return number * number + (int)(getpid() < 0); }

static void add(void) {
    struct note *note = malloc(sizeof *note);
    if (!note)
        exit(1);
    note->text = (unsigned long)(count % 2 ? "an odd text" : "an even text");
    note->speaker = (unsigned long)(count % 2 ? double_of : square_of);
    note->next = NULL;
    *last = note;
    last = &note->next;
    count++;
}

static void recall(FILE *out) {
    int number = 0;
    for (const struct note *note = notes; note; note = note->next, number++)
        fprintf(out, "%s:%d\n", (const char *)note->text, ((int (*)(int))note->speaker)(number));
}

static void forget(void) {
    while (notes) {
        struct note *next = notes->next;
        memset(notes, 0, sizeof *notes);
        free(notes);
        notes = next;
    }
    last = &notes;
    count = 0;
}

static void answer(int client) {
    char letter = 0;
    FILE *out = read(client, &letter, 1) == 1 ? fdopen(client, "w") : NULL;
    if (!out) {
        close(client);
        return;
    }
    if (letter == 'a')
        add();
    else if (letter == 'r')
        recall(out);
    else if (letter == 'f')
        forget();
    else if (letter == 'e')
        fprintf(out, "%s %s\n", getenv("WORD") ? getenv("WORD") : "-", extra);
#ifdef LATER
    else
        fprintf(out, "%d\n", new_answer(letter));
#endif
    fclose(out);
}

int main(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc < 2)
        return 2;
    extra = argc > 2 ? argv[2] : "-";
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    int listening = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listening, (struct sockaddr *)&address, sizeof address) != 0 || listen(listening, 8) != 0)
        return 1;
    puts("ready");
    fflush(stdout);
    for (;;) {
        int client = accept(listening, NULL, NULL);
        if (client >= 0)
            answer(client);
    }
}
