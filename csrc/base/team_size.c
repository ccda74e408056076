/* The default size of the thread team: SCP_NUM_THREADS, or else the CPUs this process may use. */
#include "team_size.h"

#include <stdlib.h>

#include "quota.h"
#include "scp/threads.h"

enum scp_status scp_threads_wish(size_t *count) {
    const char *text = getenv("SCP_NUM_THREADS");
    *count = 0;
    if (!text || !*text) return SCP_OK;
    size_t wish = 0;
    for (const char *digit = text; *digit; digit++) {
        if (*digit < '0' || *digit > '9') return SCP_EINVAL;
        wish = wish * 10 + (size_t)(*digit - '0');
        if (wish > SCP_TEAM_MAX) return SCP_EINVAL;
    }
    *count = wish;
    return wish ? SCP_OK : SCP_EINVAL;
}

size_t scp_team_default_size(void) {
    size_t count;
    if (scp_threads_wish(&count) == SCP_OK && count > 0) return count;
    count = scp_cpu_quota();
    return count < SCP_TEAM_MAX ? count : SCP_TEAM_MAX;
}
