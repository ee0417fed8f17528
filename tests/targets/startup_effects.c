/*
 * startup_effects.c DIRECTORY - a server whose start-up changes much around it.
 *
 * It expects the files "log" and "kept" in DIRECTORY. Its start-up signals the process named in "pid", locks that file
 * and writes its own number there, appends a line to "log", writes "state" anew, renames a new file to "kept", listens
 * on "socket", draws random bytes, looks at the clock and makes descriptors of several kinds. Then it prints one line:
 * what it drew, the time, and the numbers of its descriptors. Each connection gets its process id.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void must(int condition, const char *what) {
    if (condition)
        return;
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static int take_pid_file(void) {
    char text[16] = {0};
    struct flock lock = {.l_type = F_WRLCK};
    int fd = open("pid", O_RDWR | O_CREAT, 0600);
    must(fd >= 0, "pid");
    if (read(fd, text, sizeof text - 1) > 0) {
        must(kill(atoi(text), SIGTERM) == 0, "kill");
        must(kill(atoi(text), 0) == -1 && errno == ESRCH, "still there");
    }
    must(fcntl(fd, F_SETLK, &lock) == 0, "lock");
    int size = snprintf(text, sizeof text, "%d\n", getpid());
    must(ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)size, 0) == size, "write pid");
    return fd;
}

static int write_files(void) {
    char line[32];
    int log = open("log", O_WRONLY | O_APPEND);
    int size = snprintf(line, sizeof line, "start %d\n", getpid());
    must(log >= 0 && write(log, line, (size_t)size) == size, "log");
    FILE *state = fopen("state", "w");
    must(state && fprintf(state, "state %d\n", getpid()) > 0 && fclose(state) == 0, "state");
    FILE *new = fopen("new", "wx");
    must(new && fprintf(new, "new %d\n", getpid()) > 0 && fclose(new) == 0 && rename("new", "kept") == 0, "new");
    return log;
}

static int start_listening(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink("socket");
    must(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0, "listen");
    return fd;
}

int main(int argc, char **argv) {
    uint32_t drawn[2];
    int fds[2], sockets[2];
    must(argc == 2 && chdir(argv[1]) == 0, "directory");
    int pid = take_pid_file(), log = write_files(), listener = start_listening();
    FILE *device = fopen("/dev/urandom", "r");
    must(getrandom(drawn, 4, 0) == 4 && device && fread(drawn + 1, 4, 1, device) == 1 && fclose(device) == 0, "random");
    must(pipe2(fds, O_NONBLOCK) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0, "pair");
    int event = eventfd(0, EFD_CLOEXEC), copy = fcntl(log, F_DUPFD, 20), fixed = dup2(log, 25);
    printf("%08x%08x %ld %d %d %d %d %d %d %d %d %d %d\n", drawn[0], drawn[1], (long)time(NULL), pid, log, listener,
           fds[0], fds[1], sockets[0], sockets[1], event, copy, fixed);
    fflush(stdout);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client >= 0) {
            dprintf(client, "%d\n", getpid());
            close(client);
        }
    }
}
