/*
 * shifts.c - two threads work in shifts that overlap, by the clock, so that at every moment at least one of them runs.
 * Each rests between its shifts: who stops a thread there, and waits for the other one, need not wait for long.
 */
#include "zoo.h"

enum { PERIOD_US = 8000, SHIFT_US = 5000 };

static void work_a_shift(int64_t begin) {
    int64_t now = zoo_now_us(), start = now - now % PERIOD_US + begin;
    while (start + SHIFT_US <= now)
        start += PERIOD_US;
    struct timespec time = {start / 1000000, start % 1000000 * 1000};
    ZOO_REQUIRE(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == 0);
    zoo_begin();
    while (zoo_now_us() < start + SHIFT_US)
        continue;
    zoo_end();
}

static void by_day(void) { work_a_shift(0); }
static void by_night(void) { work_a_shift(PERIOD_US / 2); }

int main(int argc, char **argv) {
    zoo_prepare(argc, argv);
    zoo_thread("day", by_day);
    zoo_thread("night", by_night);
    return zoo_serve();
}
