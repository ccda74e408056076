/* Nearest mode by beam search and branch and bound (search.c). */
#ifndef SCP_MATCH_SEARCH_H
#define SCP_MATCH_SEARCH_H

#include "quadtree.h"
#include "queries.h"

size_t scp_search_scratch(const struct scp_grid *grid); /* bytes */

/* queries[count] in their order; value and index of each go where its number says. Unless
 * bound_share[levels] is NULL, each query's value as a share of a level's largest bound is added to
 * it. */
void scp_search_nearest(float *value, int32_t *index, uint64_t *dots, float *bound_share,
                        const struct image *image, const struct query *queries, size_t count,
                        void *scratch);

#endif
