/* The order in which the search takes queries (order.c). */
#ifndef SCP_MATCH_ORDER_H
#define SCP_MATCH_ORDER_H

#include "queries.h"

/* Fills order and heads of queries [count][levels][channels]. */
enum scp_status scp_queries_order(struct scp_queries *queries, const float *vectors);

#endif
