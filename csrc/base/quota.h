/* How many CPUs this process may use, before any wish of the user. */
#ifndef SCP_BASE_QUOTA_H
#define SCP_BASE_QUOTA_H

#include <stddef.h>

/* The smaller of the CPU affinity and the cgroup CPU quota (rounded up), at least 1. */
size_t scp_cpu_quota(void);

/* The CPU quota alone, rounded up; 0 = none. `table` is this process's list of groups
 * (/proc/self/cgroup), `mount` the folder of the hierarchies (/sys/fs/cgroup); tests pass others.
 */
size_t scp_cgroup_quota(const char *mount, const char *table);

#endif
