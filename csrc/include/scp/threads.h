/* The thread team: one per process, started on first use, shared by every caller.
 *
 * Size = SCP_NUM_THREADS, or else the smaller of the CPU affinity and the cgroup CPU quota. The
 * calling thread works too, so size 1 starts no thread. Idle threads look for work for some 50 us
 * before they sleep. Several threads may call at once; a call
 * from inside a task runs serially. After fork the child starts a team of its own on first use.
 * Tasks must write disjoint outputs: then results do not depend on the number of threads. */
#ifndef SCP_THREADS_H
#define SCP_THREADS_H

#include <stddef.h>
#include <stdint.h>

#include "scp/status.h"

/* What SCP_EINVAL was about. */
struct scp_error {
    const char *argument; /* its name in the header; NULL: not said */
    size_t at;            /* the entry of the flat array; SCP_WHOLE: all of it, or a number */
    const char *rule;     /* "must be finite": what would be right; static storage */
};

#define SCP_WHOLE SIZE_MAX
#define SCP_SHAPE (SIZE_MAX - 1) /* not the values: the shape */

/* How a caller watches and stops long work. `poll` is called on the calling thread only, between
 * tasks and while it waits for the last of them; a non-zero answer stops the work with
 * SCP_EINTERRUPTED. Both a NULL control and a NULL poll mean: run to the end. */
struct scp_control {
    int (*poll)(void *data, size_t done, size_t total);
    void *data;
    struct scp_error *error; /* filled with SCP_EINVAL; NULL: nobody asks */
};

/* Fills control's error, if it has one. On the calling thread only. Returns SCP_EINVAL. */
enum scp_status scp_invalid(const struct scp_control *control, const char *argument, size_t at,
                            const char *rule);

/* Calls control's poll: SCP_OK or SCP_EINTERRUPTED. Long tasks may use it too: on a thread of the
 * team it does not call the poll but tells whether the caller's own has asked to stop. */
enum scp_status scp_poll(const struct scp_control *control, size_t done, size_t total);

/* One task. `worker` < scp_threads() tells which of the scratch buffers of this call is free. */
typedef enum scp_status (*scp_task)(void *context, size_t task, size_t worker);

/* Runs tasks 0 .. count-1, each once. Returns the status of the lowest failing task; after a
 * failure tasks that have not started are dropped. A child process forked from inside the poll gets
 * SCP_ETHREAD when it returns into a call whose other threads stayed in the parent. */
enum scp_status scp_parallel(size_t count, scp_task run, void *context,
                             const struct scp_control *control);

/* The number of threads a call may use, at least 1. */
size_t scp_threads(void);

/* Between pin and unpin (which nest) the calling thread's scp_threads() and the `worker` numbers of
 * its calls do not grow, whatever other threads set. Whoever sizes scratch by scp_threads() runs
 * inside a pin; the binding pins around every core call. */
void scp_threads_pin(void);
void scp_threads_unpin(void);

/* What SCP_NUM_THREADS asks for; 0 when it is unset or empty. SCP_EINVAL and 0: it is not a whole
 * number from 1 to 256, and the team ignores it. */
enum scp_status scp_threads_wish(size_t *count);

/* Changes it (1..256); 0 returns to the default. Waits for running calls to end. SCP_EINVAL: count
 * is too large, or the caller is inside a task or a poll. */
enum scp_status scp_threads_set(size_t count);

/* Ends the team's threads; the next call starts them again. For leak-checked tests. */
void scp_threads_shutdown(void);

#endif
