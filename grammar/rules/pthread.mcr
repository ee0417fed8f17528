// Locks, conditions and threads belong to the process that made them: N's own stay (DESIGN section 9).
never merge type pthread_mutex_t;
never merge type pthread_cond_t;
never merge type pthread_rwlock_t;
never merge type pthread_spinlock_t;
never merge type pthread_barrier_t;
never merge type pthread_once_t;
never merge type pthread_attr_t;
never merge type pthread_key_t;
never merge type pthread_t;
never merge type sem_t;
