/* Shared inside csrc/match: one prepared image, and what a path does with a block of queries. */
#ifndef SCP_MATCH_INTERNAL_H
#define SCP_MATCH_INTERNAL_H

#include "../kernels/kernels.h"
#include "../kernels/tree.h"
#include "scp/match.h"

/* An image ready to be searched. */
struct image {
    struct scp_grid grid;
    const float *features, *norms; /* as given */
    /* Of each level: its first cell, its quantised copy in quadtree order (tree.c), and the largest
     * length that quantising took from a vector. */
    uint32_t offset[SCP_MATCH_MAX_LEVELS];
    const uint8_t *level[SCP_MATCH_MAX_LEVELS];
    float rest[SCP_MATCH_MAX_LEVELS];
    uint8_t *tree;   /* all levels */
    uint32_t *roots; /* 0, 1, 2, ..: the nodes of level 0 */
    float epsilon;
    enum scp_match_mode mode;
    const struct scp_kernels *kernels;
    const struct scp_tree_kernels *steps;
};

/* ---- tree.c: the quadtree. Level 0 is row-major, its vectors in groups of 16 as the kernel
 * `roots` reads them; the children of node k of level d are nodes 4k .. 4k+3 of level d+1, in the
 * order (0,0) (0,1) (1,0) (1,1). ---- */

/* Allocates and fills the tree of an image. `largest` [D]: largest norm of any query, per level.
 * SCP_EINVAL when a vector or norm breaks its contract. */
enum scp_status scp_tree_build(struct image *image, const float *largest,
                               const struct scp_control *control);
void scp_tree_free(struct image *image);
size_t scp_tree_bytes(const struct scp_grid *grid);

/* Nodes of level 0 with what fills the last group of 16, and where a level starts in the tree. */
size_t scp_tree_roots(const struct scp_grid *grid);
size_t scp_tree_offset(const struct scp_grid *grid, size_t level);

/* Row and column of a node in the grid of its level. */
void scp_tree_place(const struct scp_grid *grid, size_t level, size_t node, size_t *y, size_t *x);

/* ---- queries.c ---- */

/* What quantising did to one vector of a query. */
struct scale {
    float step, rest; /* one unit; the length that it took */
    int32_t sum;      /* of the integers */
};

struct scp_queries {
    const float *vectors, *norms;
    int8_t *quantised;    /* [count][levels][channels] */
    struct scale *scales; /* [count][levels] */
    size_t count, levels, channels;
    float largest[SCP_MATCH_MAX_LEVELS]; /* norm of each level */
};

/* One of them. */
struct query {
    const float *vectors, *norms;
    const int8_t *quantised;
    const struct scale *scales;
};
static inline struct query scp_query(const struct scp_queries *q, size_t i) {
    const size_t at = i * q->levels * q->channels;
    return (struct query){q->vectors + at, q->norms + i * q->levels, q->quantised + at,
                          q->scales + i * q->levels};
}

#define SCP_QUANTISED 127.0f /* of 1, in a tree */

/* A query's level as the tree's kernels take it (tree.c). */
void scp_tree_query(struct scp_tree_query *out, const struct image *image,
                    const struct query *query, size_t level);

/* ---- the paths; each answers query q of the block into value[q], index[q] ---- */

size_t scp_search_scratch(const struct scp_grid *grid); /* bytes */
/* count <= SCP_SEARCH_QUERIES, of which the i-th is query i of the block. */
void scp_search_nearest(float *value, int32_t *index, uint64_t *dots, const struct image *image,
                        const struct query *queries, size_t count, void *scratch);
#define SCP_SEARCH_QUERIES 4

size_t scp_bilinear_scratch(const struct scp_grid *grid);
/* `dense` fills every similarity first, by the blocked kernel. `stamp` differs in every call on
 * the same scratch and is never 0; the scratch starts as zeros. */
void scp_search_bilinear(float *value, int32_t *index, uint64_t *dots, const struct image *image,
                         const struct query *query, void *scratch, uint32_t stamp, int dense);

#define SCP_DENSE_QUERIES 8
size_t scp_dense_scratch(const struct scp_grid *grid);
void scp_dense_nearest(float *value, int32_t *index, const struct image *image,
                       const float *queries, const float *query_norms, size_t count, void *scratch);

#define SCP_UNIT_LIMIT 1.001f /* largest squared length of a "unit" vector */

#endif
