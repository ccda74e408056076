/* How many threads a call may use: the environment, the CPUs, and the calling thread's pin. */
#include "scp/threads.h"

#include <stdlib.h>

#include "quota.h"
#include "team.h"

static _Thread_local size_t pinned, pins;

enum scp_status scp_threads_wish(size_t *count) {
    const char *text = getenv("SCP_NUM_THREADS");
    *count = 0;
    if (!text || !*text) return SCP_OK;
    size_t wish = 0;
    for (const char *digit = text; *digit; digit++) {
        if (*digit < '0' || *digit > '9') return SCP_EINVAL;
        wish = wish * 10 + (size_t)(*digit - '0');
        if (wish > SCP_TEAM_MAX) wish = SCP_TEAM_MAX;
    }
    *count = wish;
    return wish ? SCP_OK : SCP_EINVAL;
}

size_t scp_threads_default(void) {
    size_t count;
    if (scp_threads_wish(&count) == SCP_OK && count > 0) return count;
    count = scp_cpu_quota();
    return count < SCP_TEAM_MAX ? count : SCP_TEAM_MAX;
}

size_t scp_threads(void) {
    return pins ? pinned : scp_team_size();
}

size_t scp_threads_pinned(void) {
    return pins ? pinned : 0;
}

void scp_threads_pin(void) {
    if (!pins) pinned = scp_threads();
    pins++;
}

void scp_threads_unpin(void) {
    if (pins) pins--;
}
