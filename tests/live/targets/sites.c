/* Allocations whose types the analysis finds, and some that it must not find. Never run. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline, noclone))

struct job {
    struct job *next;
    char *body;
    long id;
};
struct pool {
    struct job **jobs;
    int count;
};
struct pool *the_pool;
struct job **index_of_jobs;

NOINLINE void *wrapper(size_t size) {
    void *memory = malloc(size + 1);
    if (!memory)
        abort();
    return memory;
}

NOINLINE char *text_wrapper(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = wrapper(size);
    memcpy(copy, text, size);
    return copy;
}

NOINLINE struct job *plain(long id) {
    struct job *job = malloc(sizeof *job);
    if (!job)
        return NULL;
    job->id = id;
    job->next = NULL;
    return job;
}

NOINLINE struct job *wrapped(long id) {
    struct job *job = wrapper(sizeof *job);
    job->id = id;
    job->body = text_wrapper("body");
    return job;
}

NOINLINE void global_pool(int count) {
    the_pool = calloc(1, sizeof *the_pool);
    index_of_jobs = calloc(count, sizeof *index_of_jobs);
}

/* Returns a job, but what it allocates here is text: typing it by the return type would be wrong. */
NOINLINE struct job *name_it(struct job *job, const char *name) {
    job->body = malloc(strlen(name) + 1);
    if (job->body)
        strcpy(job->body, name);
    puts(name);
    return job;
}

/* An int: nobody above may type what is allocated here. */
NOINLINE int fill(struct job *job) {
    job->body = malloc(job->id);
    return job->body ? 0 : -1;
}

NOINLINE struct job *made_by_another(void) {
    struct job *job = plain(4);
    if (job && fill(job))
        return NULL;
    return job;
}

static void *thread_body(void *argument) {
    struct job *job = argument;
    job->body = malloc(16);
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t thread;
    struct job *job = name_it(wrapped(argc), argv[0]);
    global_pool(argc);
    pthread_create(&thread, NULL, thread_body, job);
    pthread_join(thread, NULL);
    job->next = plain(2);
    the_pool->jobs = &job;
    return made_by_another() == NULL;
}
