/* scp._testing: instruction sets, allocation, and work that only waits. */
#include "../python/args.h"

#include <time.h>

#include "scp/alloc.h"
#include "scp/cpu.h"

FUNCTION(set_isa, "Force an instruction set; None: the best.", TEXT("name", .flags = NONE)) {
    if (scp_isa_set(DATA(name)) == SCP_OK) return SCP_OK;
    return scp_invalid(in->control, "name", SCP_WHOLE, "must be one of isas()");
}

FUNCTION(alloc_state, "Bytes that the core holds now, and held at most.",
         VALUE("outstanding", int64), VALUE("peak", int64)) {
    *(size_t *)TO(outstanding) = scp_alloc_outstanding();
    *(size_t *)TO(peak) = scp_alloc_peak();
    return SCP_OK;
}

FUNCTION(alloc_fail_at, "The n-th allocation from now fails (0: off).", COUNT("n", 0, UINT64_MAX)) {
    scp_alloc_fail_at(SIZE(n));
    return SCP_OK;
}

static enum scp_status wait_task(void *context, size_t task, size_t worker) {
    (void)task, (void)worker;
    nanosleep(context, NULL);
    return SCP_OK;
}

FUNCTION(pool_probe, "Tasks that wait so long each: a stand-in for long work.",
         COUNT("tasks", 0, UINT32_MAX), COUNT("microseconds", 0, 1000000), PROGRESS) {
    struct timespec wait = {.tv_sec = (time_t)(SIZE(microseconds) / 1000000),
                            .tv_nsec = (long)(SIZE(microseconds) % 1000000) * 1000};
    return scp_parallel(SIZE(tasks), wait_task, &wait, in->control);
}
