/* Where the values of a plan lie: one slab, in which buffers that are never alive together share
 * their floats. */
#ifndef SCP_NN_MEMORY_H
#define SCP_NN_MEMORY_H

#include "plan.h"

/* Lifetimes, offsets, the slab's size. */
enum scp_status scp_plan_layout(struct scp_plan *plan);
/* The slab itself, and the pointers into it. */
enum scp_status scp_plan_bind(struct scp_plan *plan);
/* Grows the workspace to what the present number of threads needs. */
enum scp_status scp_plan_reserve(struct scp_plan *plan);

#endif
