/*
 * bank.c - money is on its way from one account to another for most of the time. Between two transfers the sum is right.
 * -DLATER changes the function that makes statements, and no other one.
 */
#include "zoo.h"

enum { MONEY = 1000000 };
volatile long bank_accounts[2] = {MONEY, 0};

__attribute__((noinline)) static void transfer(int from, int to) {
    zoo_begin();
    bank_accounts[from] -= 10;
    zoo_compute(2000); /* asks here and there whether this is allowed */
    bank_accounts[to] += 10;
    zoo_end();
}

static void transfer_here_and_there(void) {
    transfer(0, 1);
    zoo_sleep(200);
    transfer(1, 0);
    zoo_sleep(200);
}

__attribute__((noinline)) static long make_statement(void) {
#ifdef LATER
    return 100 * (bank_accounts[0] + bank_accounts[1]); /* in cents: what is on its way would be lost */
#else
    return bank_accounts[0] + bank_accounts[1];
#endif
}

static void make_statements(void) {
    zoo_sleep(5000);
    ZOO_REQUIRE(make_statement() > 0);
}

int main(int argc, char **argv) {
    zoo_prepare(argc, argv);
    zoo_is_open = true; /* a build that follows must come to where this one works */
    zoo_thread("transfers", transfer_here_and_there);
    zoo_thread("statements", make_statements);
    return zoo_serve();
}
