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
    /* Of each level: its first cell, its quantised copy in quadtree order (tree.c), how many units
     * of that are 1, and the largest length that quantising took from a vector. */
    uint32_t offset[SCP_MATCH_MAX_LEVELS];
    const uint8_t *level[SCP_MATCH_MAX_LEVELS];
    float units[SCP_MATCH_MAX_LEVELS], rest[SCP_MATCH_MAX_LEVELS];
    uint8_t *tree;     /* all levels */
    uint32_t *numbers; /* 0, 1, 2, ..: the nodes of level 0, or places in a list of the beam */
    float epsilon;
    /* The beam expands nodes with this share of a level's largest bound (match.c). */
    float share[SCP_MATCH_MAX_LEVELS];
    enum scp_match_mode mode;
    const struct scp_kernels *kernels;
    const struct scp_tree_kernels *steps;
};

/* grid.c: after SCP_EINVAL about vectors or norms[count], says which of the two. SCP_EINVAL. */
enum scp_status scp_name_vectors(const struct scp_control *control, const char *vectors_name,
                                 const char *norms_name, const float *norms, size_t count);

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

/* Every second bit. */
static inline uint32_t scp_even_bits(uint32_t bits) {
    bits &= 0x55555555;
    bits = (bits | bits >> 1) & 0x33333333;
    bits = (bits | bits >> 2) & 0x0f0f0f0f;
    bits = (bits | bits >> 4) & 0x00ff00ff;
    return (bits | bits >> 8) & 0x0000ffff;
}
/* The node under one node of a coarser level, counted from its first, by row and column. */
static inline uint32_t scp_spread_bits(uint32_t bits) {
    bits = (bits | bits << 8) & 0x00ff00ff;
    bits = (bits | bits << 4) & 0x0f0f0f0f;
    bits = (bits | bits << 2) & 0x33333333;
    return (bits | bits << 1) & 0x55555555;
}
static inline size_t scp_tree_node(size_t y, size_t x) {
    return scp_spread_bits((uint32_t)y) << 1 | scp_spread_bits((uint32_t)x);
}
/* Row and column of a node in the grid of its level. */
static inline void scp_tree_place(uint32_t *y, uint32_t *x, const struct scp_grid *grid,
                                  uint32_t level, uint32_t node) {
    const uint32_t width = (uint32_t)grid->width, root = node >> 2 * level;
    const uint32_t below = node & ((1u << 2 * level) - 1);
    *y = (root / width << level) + scp_even_bits(below >> 1);
    *x = (root % width << level) + scp_even_bits(below);
}

/* ---- queries.c ---- */

/* What quantising did to one vector of a query. */
struct scale {
    float step, rest; /* one unit; the length that it took */
    int32_t sum;      /* of the integers */
};

/* All in the order in which the search takes them (order.c). */
struct scp_queries {
    uint32_t *order;        /* which query it is */
    uint32_t *heads;        /* the first place with its vector at level 0 */
    float *vectors, *norms; /* [count][levels][channels], [count][levels] */
    int8_t *quantised;      /* [count][levels][channels] */
    struct scale *scales;   /* [count][levels] */
    size_t count, levels, channels;
    float largest[SCP_MATCH_MAX_LEVELS]; /* norm of each level */
};

/* The one at a place of the order. */
struct query {
    const float *vectors, *norms;
    const int8_t *quantised;
    const struct scale *scales;
    uint32_t number, head;
};
static inline struct query scp_query(const struct scp_queries *q, size_t place) {
    const size_t size = q->levels * q->channels;
    return (struct query){q->vectors + place * size,
                          q->norms + place * q->levels,
                          q->quantised + place * size,
                          q->scales + place * q->levels,
                          q->order[place],
                          q->heads[place]};
}

/* Fills order and heads of queries [count][levels][channels]. */
enum scp_status scp_queries_order(struct scp_queries *queries, const float *vectors);

/* Nodes that the beam of a search expands on each level: fewer find a worse value to beat, more
 * expand nodes that the value would have excluded. Room for their children, and 16 more. */
#define SCP_BEAM 32
#define SCP_BEAM_ROOM (4 * SCP_BEAM + 16)

/* A query's level as the tree's kernels take it (tree.c). */
void scp_tree_query(struct scp_tree_query *out, const struct image *image,
                    const struct query *query, size_t level);

/* ---- the paths ---- */

size_t scp_search_scratch(const struct scp_grid *grid); /* bytes */
/* Queries in their order; value and index of each go where its number says. So does bilinear.
 * Unless reached [levels] is NULL, the value of each as a share of a level's largest bound is added
 * to it. */
void scp_search_nearest(float *value, int32_t *index, uint64_t *dots, float *reached,
                        const struct image *image, const struct query *queries, size_t count,
                        void *scratch);

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
