/* The order in which the search takes queries (order.c). */
#ifndef SCP_MATCH_ORDER_H
#define SCP_MATCH_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "scp/status.h"

/* order[count]: which query comes at a place; heads[count]: the first place with the same vector at
 * level 0. Queries are vectors[count][levels][channels]. */
enum scp_status scp_queries_order(uint32_t *order, uint32_t *heads, const float *vectors,
                                  size_t count, size_t levels, size_t channels);

#endif
