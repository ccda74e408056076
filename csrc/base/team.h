/* The thread team (team.c) and its size (threads.c), as they see each other. */
#ifndef SCP_BASE_TEAM_H
#define SCP_BASE_TEAM_H

#include <stddef.h>

#define SCP_TEAM_MAX 256 /* threads, callers included */

/* The number of threads, callers included; decided on first use. */
size_t scp_team_size(void);

/* What the size is when nobody sets it: SCP_NUM_THREADS, or else the CPUs this process may use. */
size_t scp_threads_default(void);

/* The calling thread's pinned number (scp_threads_pin), 0 outside a pin. */
size_t scp_threads_pinned(void);

#endif
