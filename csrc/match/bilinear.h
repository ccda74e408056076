/* Bilinear mode by branch and bound (bilinear.c). */
#ifndef SCP_MATCH_BILINEAR_H
#define SCP_MATCH_BILINEAR_H

#include "quadtree.h"
#include "queries.h"

size_t scp_bilinear_scratch(const struct scp_grid *grid); /* bytes */

/* One query. `dense` fills every similarity first, by the blocked kernel. `stamp` differs in every
 * call on the same scratch and is never 0; the scratch starts as zeros. */
void scp_search_bilinear(float *value, int32_t *index, uint64_t *dots, const struct image *image,
                         const struct query *query, void *scratch, uint32_t stamp, int dense);

#endif
