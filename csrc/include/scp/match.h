/* Where in an image does each query point match best, and how well (the paper, Eq. 1 and Eq. 2 with
 * the similarity of Eq. 5; Eq. 7 and Eq. 8 where the queries are key points).
 *
 * The image is a feature pyramid (scp/grid.h) of D levels and C channels. A query is one vector per
 * level: float32 [D][C], with norms [D].
 *
 * Similarity of a query to a cell of level d, n = |query| |cell|:
 *     c_d = clamp(<query, cell> * (n / (n + epsilon)), 0, 1),  0 where n is 0.
 * Similarity at a position p:  s(p) = ((((1 * U_0) * U_1) ...) * U_{D-1})  with U_d = c_d brought
 * to p: nearest   p is a cell of the finest grid, U_d = c_d of its ancestor; bilinear  p is a pixel
 * of the image, twice the finest grid a side; U_d interpolates c_d between cell centres (borders
 * replicated): with a, b the upper and c, d the lower neighbours, (1-v) * ((1-u) * a + u * b) + v *
 * ((1-u) * c + u * d). All arithmetic is float32, rounded after every operation, dot products in
 * the order stated in kernels/kernels.h. The answer is max over p and the first p in row-major
 * order that reaches it; it is the brute-force answer to the last bit, whatever path computes it.
 */
#ifndef SCP_MATCH_H
#define SCP_MATCH_H

#include <stddef.h>
#include <stdint.h>

#include "scp/grid.h"
#include "scp/status.h"
#include "scp/threads.h"

enum scp_match_mode { SCP_NEAREST = 0, SCP_BILINEAR = 1 };

enum scp_match_path {
    SCP_MATCH_AUTO = 0,   /* a sample decides between the two others; few are searched */
    SCP_MATCH_SEARCH = 1, /* branch and bound in the quadtree */
    SCP_MATCH_DENSE = 2,  /* all cells, in blocks */
};

struct scp_match_options {
    enum scp_match_mode mode;
    enum scp_match_path path;
    float epsilon; /* >= 0, added to the product of the norms; the paper's code has 1e-3 */
};

struct scp_match_stats {
    uint64_t dots;  /* dot products evaluated */
    uint64_t brute; /* dot products of brute force: queries x cells of all levels */
    int dense;      /* the path taken */
};

/* Queries checked, ordered and quantised once, for any number of images. */
struct scp_queries;

/* Copies vectors [count][levels][channels] and norms [count][levels]. SCP_EINVAL when a vector is
 * longer than 1 or a norm is negative or not finite, levels and channels are not those of a grid,
 * or there are 2^32 queries or more. */
enum scp_status scp_queries_create(struct scp_queries **queries, const float *vectors,
                                   const float *norms, size_t count, size_t levels, size_t channels,
                                   const struct scp_control *control);
void scp_queries_free(struct scp_queries *queries);

/* value[queries], index[queries]: row-major index of p in the finest grid (nearest) or the image
 * (bilinear). SCP_EINVAL when a feature is not in [-1, 1] or a norm is negative or not finite, or
 * the queries are not of this pyramid's levels and channels. */
enum scp_status scp_match(float *value, int32_t *index, struct scp_match_stats *stats,
                          const struct scp_pyramid *pyramid, const struct scp_queries *queries,
                          const struct scp_match_options *options,
                          const struct scp_control *control);

/* Bytes that scp_match allocates, besides the queries, for this grid with that number of threads.
 */
size_t scp_match_bytes(const struct scp_grid *grid, enum scp_match_mode mode, size_t threads);

#endif
