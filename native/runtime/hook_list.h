/*
 * hook_list.h - every libc function that libmcr.so stands in front of, the allocator's apart (heap_hooks.c).
 *
 * X(name, raw, type, parameters): `raw` is the system call that serves while the next definition is not known yet
 * (before libmcr's constructor), MCR_FAILS (-1, ENOSYS) or MCR_NULL (a null pointer, ENOSYS) where there is none.
 * Variadic functions are declared with the parameters that can follow: on x86-64 that is the same call.
 * libmcr.map repeats the names; a test compares them.
 */
#ifndef MCR_HOOK_LIST_H
#define MCR_HOOK_LIST_H

#define MCR_FAILS (-1)
#define MCR_NULL  (-2)

/* clang-format off */
#define MCR_SOCKET_HOOKS(X) \
    X(socket, SYS_socket, int, (int domain, int type, int protocol)) \
    X(socketpair, SYS_socketpair, int, (int domain, int type, int protocol, int fds[2])) \
    X(bind, SYS_bind, int, (int fd, const struct sockaddr *address, socklen_t size)) \
    X(listen, SYS_listen, int, (int fd, int backlog)) \
    X(connect, SYS_connect, int, (int fd, const struct sockaddr *address, socklen_t size)) \
    X(accept, SYS_accept, int, (int fd, struct sockaddr *address, socklen_t *size)) \
    X(accept4, SYS_accept4, int, (int fd, struct sockaddr *address, socklen_t *size, int flags)) \
    X(setsockopt, SYS_setsockopt, int, (int fd, int level, int option, const void *value, socklen_t size))

#define MCR_FILE_HOOKS(X) \
    X(open, SYS_open, int, (const char *path, int flags, mode_t mode)) \
    X(open64, SYS_open, int, (const char *path, int flags, mode_t mode)) \
    X(__open_2, SYS_open, int, (const char *path, int flags)) \
    X(__open64_2, SYS_open, int, (const char *path, int flags)) \
    X(openat, SYS_openat, int, (int dirfd, const char *path, int flags, mode_t mode)) \
    X(openat64, SYS_openat, int, (int dirfd, const char *path, int flags, mode_t mode)) \
    X(__openat_2, SYS_openat, int, (int dirfd, const char *path, int flags)) \
    X(__openat64_2, SYS_openat, int, (int dirfd, const char *path, int flags)) \
    X(creat, SYS_creat, int, (const char *path, mode_t mode)) \
    X(creat64, SYS_creat, int, (const char *path, mode_t mode)) \
    X(fopen, MCR_NULL, FILE *, (const char *path, const char *mode)) \
    X(fopen64, MCR_NULL, FILE *, (const char *path, const char *mode)) \
    X(freopen, MCR_NULL, FILE *, (const char *path, const char *mode, FILE *stream)) \
    X(freopen64, MCR_NULL, FILE *, (const char *path, const char *mode, FILE *stream)) \
    X(mkstemp, MCR_FAILS, int, (char *template)) \
    X(mkstemp64, MCR_FAILS, int, (char *template)) \
    X(mkostemp, MCR_FAILS, int, (char *template, int flags)) \
    X(mkostemp64, MCR_FAILS, int, (char *template, int flags)) \
    X(mkstemps, MCR_FAILS, int, (char *template, int suffix)) \
    X(mkostemps, MCR_FAILS, int, (char *template, int suffix, int flags))

#define MCR_DESCRIPTOR_HOOKS(X) \
    X(dup, SYS_dup, int, (int fd)) \
    X(dup2, SYS_dup2, int, (int fd, int number)) \
    X(dup3, SYS_dup3, int, (int fd, int number, int flags)) \
    X(pipe, SYS_pipe, int, (int fds[2])) \
    X(pipe2, SYS_pipe2, int, (int fds[2], int flags)) \
    X(eventfd, SYS_eventfd2, int, (unsigned int value, int flags)) \
    X(epoll_create, SYS_epoll_create, int, (int size)) \
    X(epoll_create1, SYS_epoll_create1, int, (int flags)) \
    X(timerfd_create, SYS_timerfd_create, int, (int clock, int flags)) \
    X(signalfd, MCR_FAILS, int, (int fd, const sigset_t *mask, int flags)) \
    X(inotify_init, SYS_inotify_init, int, (void)) \
    X(inotify_init1, SYS_inotify_init1, int, (int flags)) \
    X(memfd_create, SYS_memfd_create, int, (const char *name, unsigned int flags)) \
    X(close, SYS_close, int, (int fd)) \
    X(fclose, MCR_FAILS, int, (FILE *stream)) \
    X(closefrom, MCR_FAILS, void, (int first)) \
    X(close_range, SYS_close_range, int, (unsigned int first, unsigned int last, int flags)) \
    X(fcntl, SYS_fcntl, int, (int fd, int command, long argument)) \
    X(fcntl64, SYS_fcntl, int, (int fd, int command, long argument)) \
    X(mmap, SYS_mmap, void *, (void *address, size_t size, int protection, int flags, int fd, off_t offset)) \
    X(mmap64, SYS_mmap, void *, (void *address, size_t size, int protection, int flags, int fd, off_t offset)) \
    X(shmget, SYS_shmget, int, (key_t key, size_t size, int flags))

#define MCR_PROCESS_HOOKS(X) \
    X(fork, SYS_fork, pid_t, (void)) \
    X(vfork, SYS_vfork, pid_t, (void)) \
    X(clone, MCR_FAILS, int, (int (*run)(void *), void *stack, int flags, void *argument, pid_t *parent_tid, void *tls, \
                              pid_t *child_tid)) \
    X(daemon, MCR_FAILS, int, (int nochdir, int noclose)) \
    X(pthread_create, MCR_FAILS, int, (pthread_t *ret, const pthread_attr_t *attributes, void *(*run)(void *), \
                                       void *argument)) \
    X(getpid, SYS_getpid, pid_t, (void)) \
    X(getppid, SYS_getppid, pid_t, (void)) \
    X(gettid, SYS_gettid, pid_t, (void)) \
    X(setsid, SYS_setsid, pid_t, (void)) \
    X(dlopen, MCR_NULL, void *, (const char *path, int flags)) \
    X(execve, SYS_execve, int, (const char *path, char *const *argv, char *const *envp)) \
    X(execv, MCR_FAILS, int, (const char *path, char *const *argv)) \
    X(execvp, MCR_FAILS, int, (const char *file, char *const *argv)) \
    X(execvpe, MCR_FAILS, int, (const char *file, char *const *argv, char *const *envp)) \
    X(posix_spawn, MCR_FAILS, int, (pid_t *ret, const char *path, const posix_spawn_file_actions_t *actions, \
                                    const posix_spawnattr_t *attributes, char *const *argv, char *const *envp)) \
    X(posix_spawnp, MCR_FAILS, int, (pid_t *ret, const char *file, const posix_spawn_file_actions_t *actions, \
                                     const posix_spawnattr_t *attributes, char *const *argv, char *const *envp)) \
    X(syscall, MCR_FAILS, long, (long number, long a, long b, long c, long d, long e, long f))

#define MCR_ENTROPY_HOOKS(X) \
    X(getrandom, SYS_getrandom, ssize_t, (void *bytes, size_t size, unsigned int flags)) \
    X(getentropy, MCR_FAILS, int, (void *bytes, size_t size)) \
    X(arc4random, MCR_FAILS, uint32_t, (void)) \
    X(arc4random_buf, MCR_FAILS, void, (void *bytes, size_t size)) \
    X(arc4random_uniform, MCR_FAILS, uint32_t, (uint32_t bound)) \
    X(fread, MCR_NULL, size_t, (void *bytes, size_t size, size_t count, FILE *stream)) \
    X(fread_unlocked, MCR_NULL, size_t, (void *bytes, size_t size, size_t count, FILE *stream)) \
    X(__fread_chk, MCR_NULL, size_t, (void *bytes, size_t room, size_t size, size_t count, FILE *stream)) \
    X(fgetc, MCR_FAILS, int, (FILE *stream)) \
    X(getc, MCR_FAILS, int, (FILE *stream)) \
    X(time, SYS_time, time_t, (time_t *ret)) \
    X(gettimeofday, SYS_gettimeofday, int, (struct timeval *ret, void *zone)) \
    X(clock_gettime, SYS_clock_gettime, int, (clockid_t clock, struct timespec *ret))

#define MCR_EFFECT_HOOKS(X) \
    X(unlink, SYS_unlink, int, (const char *path)) \
    X(unlinkat, SYS_unlinkat, int, (int dirfd, const char *path, int flags)) \
    X(remove, MCR_FAILS, int, (const char *path)) \
    X(rename, SYS_rename, int, (const char *from, const char *to)) \
    X(renameat, SYS_renameat, int, (int from_dir, const char *from, int to_dir, const char *to)) \
    X(renameat2, SYS_renameat2, int, (int from_dir, const char *from, int to_dir, const char *to, unsigned int flags)) \
    X(truncate, SYS_truncate, int, (const char *path, off_t size)) \
    X(truncate64, SYS_truncate, int, (const char *path, off_t size)) \
    X(ftruncate, SYS_ftruncate, int, (int fd, off_t size)) \
    X(ftruncate64, SYS_ftruncate, int, (int fd, off_t size)) \
    X(kill, SYS_kill, int, (pid_t pid, int signal)) \
    X(killpg, MCR_FAILS, int, (pid_t group, int signal)) \
    X(flock, SYS_flock, int, (int fd, int operation)) \
    X(lockf, MCR_FAILS, int, (int fd, int command, off_t size)) \
    X(lockf64, MCR_FAILS, int, (int fd, int command, off_t size)) \
    X(send, MCR_FAILS, ssize_t, (int fd, const void *bytes, size_t size, int flags)) \
    X(sendto, SYS_sendto, ssize_t, (int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address, \
                                    socklen_t address_size)) \
    X(sendmsg, SYS_sendmsg, ssize_t, (int fd, const struct msghdr *message, int flags)) \
    X(sendmmsg, SYS_sendmmsg, int, (int fd, struct mmsghdr *messages, unsigned int count, int flags)) \
    X(write, SYS_write, ssize_t, (int fd, const void *bytes, size_t size)) \
    X(writev, SYS_writev, ssize_t, (int fd, const struct iovec *parts, int count)) \
    X(pwrite, SYS_pwrite64, ssize_t, (int fd, const void *bytes, size_t size, off_t offset)) \
    X(pwrite64, SYS_pwrite64, ssize_t, (int fd, const void *bytes, size_t size, off_t offset)) \
    X(pwritev, MCR_FAILS, ssize_t, (int fd, const struct iovec *parts, int count, off_t offset)) \
    X(pwritev64, MCR_FAILS, ssize_t, (int fd, const struct iovec *parts, int count, off_t offset)) \
    X(eventfd_write, MCR_FAILS, int, (int fd, eventfd_t value)) \
    X(timerfd_settime, SYS_timerfd_settime, int, (int fd, int flags, const struct itimerspec *value, \
                                                  struct itimerspec *ret))

#define MCR_DESCRIPTOR_WAIT_HOOKS(X) \
    X(epoll_wait, SYS_epoll_wait, int, (int fd, struct epoll_event *events, int room, int timeout)) \
    X(epoll_pwait, MCR_FAILS, int, (int fd, struct epoll_event *events, int room, int timeout, const sigset_t *mask)) \
    X(epoll_pwait2, MCR_FAILS, int, (int fd, struct epoll_event *events, int room, const struct timespec *timeout, \
                                     const sigset_t *mask)) \
    X(poll, SYS_poll, int, (struct pollfd *fds, nfds_t count, int timeout)) \
    X(__poll_chk, SYS_poll, int, (struct pollfd *fds, nfds_t count, int timeout, size_t room)) \
    X(ppoll, MCR_FAILS, int, (struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)) \
    X(__ppoll_chk, MCR_FAILS, int, (struct pollfd *fds, nfds_t count, const struct timespec *timeout, \
                                    const sigset_t *mask, size_t room)) \
    X(select, SYS_select, int, (int count, fd_set *reads, fd_set *writes, fd_set *others, struct timeval *timeout)) \
    X(pselect, MCR_FAILS, int, (int count, fd_set *reads, fd_set *writes, fd_set *others, \
                                const struct timespec *timeout, const sigset_t *mask)) \
    X(read, SYS_read, ssize_t, (int fd, void *bytes, size_t size)) \
    X(__read_chk, SYS_read, ssize_t, (int fd, void *bytes, size_t size, size_t room)) \
    X(readv, SYS_readv, ssize_t, (int fd, const struct iovec *parts, int count)) \
    X(recv, MCR_FAILS, ssize_t, (int fd, void *bytes, size_t size, int flags)) \
    X(__recv_chk, MCR_FAILS, ssize_t, (int fd, void *bytes, size_t size, size_t room, int flags)) \
    X(recvfrom, SYS_recvfrom, ssize_t, (int fd, void *bytes, size_t size, int flags, struct sockaddr *address, \
                                        socklen_t *address_size)) \
    X(__recvfrom_chk, MCR_FAILS, ssize_t, (int fd, void *bytes, size_t size, size_t room, int flags, \
                                           struct sockaddr *address, socklen_t *address_size)) \
    X(recvmsg, SYS_recvmsg, ssize_t, (int fd, struct msghdr *message, int flags)) \
    X(recvmmsg, SYS_recvmmsg, int, (int fd, struct mmsghdr *messages, unsigned int count, int flags, \
                                    struct timespec *timeout))

#define MCR_OTHER_WAIT_HOOKS(X) \
    X(nanosleep, SYS_nanosleep, int, (const struct timespec *time, struct timespec *left)) \
    X(clock_nanosleep, MCR_FAILS, int, (clockid_t clock, int flags, const struct timespec *time, struct timespec *left)) \
    X(usleep, MCR_FAILS, int, (useconds_t microseconds)) \
    X(sleep, MCR_FAILS, unsigned int, (unsigned int seconds)) \
    X(sigtimedwait, MCR_FAILS, int, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout)) \
    X(sigwaitinfo, MCR_FAILS, int, (const sigset_t *set, siginfo_t *info)) \
    X(sigwait, MCR_FAILS, int, (const sigset_t *set, int *ret)) \
    X(pause, SYS_pause, int, (void)) \
    X(sigsuspend, MCR_FAILS, int, (const sigset_t *mask)) \
    X(pthread_cond_wait, MCR_FAILS, int, (pthread_cond_t *condition, pthread_mutex_t *mutex)) \
    X(pthread_cond_timedwait, MCR_FAILS, int, (pthread_cond_t *condition, pthread_mutex_t *mutex, \
                                               const struct timespec *deadline)) \
    X(pthread_cond_clockwait, MCR_FAILS, int, (pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock, \
                                               const struct timespec *deadline)) \
    X(pthread_barrier_wait, MCR_FAILS, int, (pthread_barrier_t *barrier)) \
    X(sem_wait, MCR_FAILS, int, (sem_t *semaphore)) \
    X(sem_timedwait, MCR_FAILS, int, (sem_t *semaphore, const struct timespec *deadline)) \
    X(sem_clockwait, MCR_FAILS, int, (sem_t *semaphore, clockid_t clock, const struct timespec *deadline)) \
    X(semop, SYS_semop, int, (int id, struct sembuf *operations, size_t count)) \
    X(semtimedop, SYS_semtimedop, int, (int id, struct sembuf *operations, size_t count, \
                                        const struct timespec *timeout)) \
    X(pthread_join, MCR_FAILS, int, (pthread_t thread, void **ret)) \
    X(pthread_timedjoin_np, MCR_FAILS, int, (pthread_t thread, void **ret, const struct timespec *deadline)) \
    X(pthread_clockjoin_np, MCR_FAILS, int, (pthread_t thread, void **ret, clockid_t clock, \
                                             const struct timespec *deadline)) \
    X(wait, MCR_FAILS, pid_t, (int *status)) \
    X(waitpid, MCR_FAILS, pid_t, (pid_t pid, int *status, int options)) \
    X(wait3, MCR_FAILS, pid_t, (int *status, int options, struct rusage *usage)) \
    X(wait4, SYS_wait4, pid_t, (pid_t pid, int *status, int options, struct rusage *usage)) \
    X(waitid, SYS_waitid, int, (idtype_t type, id_t id, siginfo_t *info, int options))

#define MCR_HOOKS(X) \
    MCR_SOCKET_HOOKS(X) MCR_FILE_HOOKS(X) MCR_DESCRIPTOR_HOOKS(X) MCR_PROCESS_HOOKS(X) MCR_ENTROPY_HOOKS(X) \
    MCR_EFFECT_HOOKS(X) MCR_DESCRIPTOR_WAIT_HOOKS(X) MCR_OTHER_WAIT_HOOKS(X)
/* clang-format on */

#endif
