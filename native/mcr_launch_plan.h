/* mcr_launch_plan.h - the part of mcr_abi.h that is about starting N; include mcr_abi.h. */
#ifndef MCR_LAUNCH_PLAN_H
#define MCR_LAUNCH_PLAN_H

/* ---------------------------------------------------------------- launch plan (a memfd; mcr_launch PLAN-FD) */
/* Variable parts follow the struct; offsets are from its start. */
#define MCR_LAUNCH_PLAN_MAGIC 0x6e616c7068636c6dull /* "mlchplan" */

/* Which of the facts N gets; of the others it inherits mcr_launch's own. */
enum mcr_launch_apply {
    MCR_LAUNCH_CWD = 1,
    MCR_LAUNCH_ROOT = 2,
    MCR_LAUNCH_UMASK = 4,
    MCR_LAUNCH_RLIMITS = 8,
    MCR_LAUNCH_IDS = 16, /* and groups */
    MCR_LAUNCH_CAPABILITIES = 32,
    MCR_LAUNCH_SIGNALS = 64, /* mask and ignored signals */
    MCR_LAUNCH_AFFINITY = 128,
    MCR_LAUNCH_AT_RANDOM = 256
};

struct mcr_launch_range { /* [start, end), reserved in N with PROT_NONE */
    uint64_t start, end;
};

struct mcr_launch_library { /* a file that ld.so is to map */
    uint64_t base;          /* where its lowest byte is to stand */
    uint64_t path;          /* offset, NUL-terminated */
};

struct mcr_launch_plan {
    uint64_t magic;
    uint32_t version;
    uint32_t size;                     /* bytes of the whole memfd */
    uint64_t executable;               /* offset of its path, NUL-terminated */
    uint64_t libraries, library_count; /* struct mcr_launch_library[] */
    uint64_t reserved, reserved_count; /* struct mcr_launch_range[] */
    int32_t settings_fd, channel_fd;   /* as mcr_launch has them, -1 none */
    uint32_t tries, timeout_ms;
    uint32_t apply; /* enum mcr_launch_apply */
    uint32_t padding;
    struct mcr_launch_facts facts; /* argc, envc, strings (an offset here): what N's exec gets */
};

#endif
