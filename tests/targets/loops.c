/*
 * loops.c - functions whose loops a test looks for in the machine code. Each calls depth_N() where N loops are around
 * the call. Nothing here is executed.
 */
#include <stdlib.h>

#define MARK __attribute__((noipa))
MARK void depth_0(void) {}
MARK void depth_1(void) {}
MARK void depth_2(void) {}
MARK void depth_3(void) {}
MARK int asks(int n) { return n; }

/* An event loop that drains queues. */
MARK void nested(int n) {
    depth_0();
    while (asks(n)) {
        depth_1();
        for (int i = 0; asks(i); i++) {
            depth_2();
            do
                depth_3();
            while (asks(n));
            if (asks(1))
                continue;
            depth_2();
        }
        depth_1();
    }
    depth_0();
}

MARK void one_behind_the_other(int n) {
    while (asks(n))
        depth_1();
    depth_0();
    while (asks(-n))
        depth_1();
}

/* A state machine as servers have them: its cases are reached through a jump table. */
MARK void state_machine(int state) {
    for (;;) {
        switch (state) {
        case 0:
            state = asks(7);
            break;
        case 1:
            depth_1();
            state = asks(0);
            break;
        case 2:
            state = asks(5);
            break;
        case 3:
            while (asks(3))
                depth_2();
            state = asks(9);
            break;
        case 4:
            state = asks(2);
            break;
        case 5:
            state = asks(4);
            break;
        case 6:
            depth_1();
            state = asks(3);
            break;
        case 7:
            depth_0();
            return;
        default:
            state = asks(6);
            break;
        }
    }
}

/* What ends the program is no part of the loop in which it stands, and what follows it in memory is not behind it. */
MARK void gives_up(int n) {
    for (;;) {
        if (asks(n) < 0) {
            depth_0();
            exit(1);
        }
        depth_1();
        if (asks(n) > 9) {
            depth_0();
            abort();
        }
    }
}

__attribute__((noinline, noreturn)) static void fail(int n) {
    depth_0();
    exit(n);
}

MARK void gives_up_elsewhere(int n) {
    while (asks(n)) {
        depth_1();
        if (asks(-n))
            fail(n);
    }
    depth_0();
}

/* A jump into the middle of a loop. */
MARK void entered_twice(int n) {
    if (asks(n))
        goto middle;
    depth_0();
    for (;;) {
        depth_1();
    middle:
        depth_1();
        if (asks(n))
            break;
    }
    depth_0();
}

MARK void unlikely_work(int n) {
    while (__builtin_expect(asks(n), 1)) {
        if (__builtin_expect(asks(1), 0)) {
            depth_1();
            depth_1();
        }
    }
}

/* The loop belongs to the function that is inlined. */
static inline __attribute__((always_inline)) void serve(int n) {
    while (asks(n))
        depth_1();
}

MARK void inlined(int n) {
    depth_0();
    serve(n);
}

int main(int argc, char **argv) {
    (void)argv;
    nested(argc), one_behind_the_other(argc), state_machine(argc), gives_up(argc), gives_up_elsewhere(argc);
    entered_twice(argc), unlikely_work(argc), inlined(argc);
}
