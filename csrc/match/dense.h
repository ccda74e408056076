/* Nearest mode over all cells (dense.c). */
#ifndef SCP_MATCH_DENSE_H
#define SCP_MATCH_DENSE_H

#include "quadtree.h"

#define SCP_DENSE_QUERIES 8 /* in one call, at most */

size_t scp_dense_scratch(const struct scp_grid *grid); /* bytes */

/* queries[count][levels][channels] and query_norms[count][levels]. */
void scp_dense_nearest(float *value, int32_t *index, const struct image *image,
                       const float *queries, const float *query_norms, size_t count, void *scratch);

#endif
