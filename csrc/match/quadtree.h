/* One image, indexed for search: its pyramid and the quantised quadtree over it (quadtree.c).
 *
 * Level 0 is row-major, its vectors in groups of 16 as the kernel `roots` reads them; the children
 * of node k of level d are nodes 4k .. 4k+3 of level d+1, in the order (0,0) (0,1) (1,0) (1,1). */
#ifndef SCP_MATCH_QUADTREE_H
#define SCP_MATCH_QUADTREE_H

#include "../kernels/kernels.h"
#include "../kernels/tree.h"
#include "scp/match.h"

struct query; /* queries.h */

/* Nodes that the beam of a search expands on each level: fewer find a worse incumbent, more expand
 * nodes that the incumbent would have pruned. Room for their children, and 16 more. */
#define SCP_BEAM 32
#define SCP_BEAM_ROOM (4 * SCP_BEAM + 16)

struct image {
    struct scp_grid grid;
    const float *features, *norms; /* as given */
    /* Of each level: its first cell, its quantised copy in quadtree order, the factor that brought
     * it to 8 bits, and the largest residual length of a vector. */
    uint32_t offset[SCP_MATCH_MAX_LEVELS];
    const uint8_t *level[SCP_MATCH_MAX_LEVELS];
    float factor[SCP_MATCH_MAX_LEVELS], residual[SCP_MATCH_MAX_LEVELS];
    uint8_t *tree;      /* all levels */
    uint32_t *identity; /* 0, 1, 2, ..: the nodes of level 0, or places in a list of the beam */
    float epsilon;
    /* The beam expands nodes with this share of a level's largest bound (match.c). */
    float beam_share[SCP_MATCH_MAX_LEVELS];
    enum scp_match_mode mode;
    const struct scp_kernels *kernels;
    const struct scp_tree_kernels *tree_kernels;
};

/* Allocates and fills the tree of an image. max_norms [D]: largest norm of any query, per level.
 * SCP_EINVAL when a vector or norm breaks its contract. */
enum scp_status scp_tree_build(struct image *image, const float *max_norms,
                               const struct scp_control *control);
void scp_tree_free(struct image *image);
size_t scp_tree_bytes(const struct scp_grid *grid);

/* Nodes of level 0 with the padding of the last group of 16, and where a level starts in the tree.
 */
size_t scp_tree_roots(const struct scp_grid *grid);
size_t scp_tree_offset(const struct scp_grid *grid, size_t level);

/* A query's level as the tree's kernels take it. */
void scp_tree_query(struct scp_tree_query *out, const struct image *image,
                    const struct query *query, size_t level);

/* ---- Morton order: the bits of row and column interleaved ---- */

/* Every second bit, side by side. */
static inline uint32_t scp_morton_compact(uint32_t bits) {
    bits &= 0x55555555;
    bits = (bits | bits >> 1) & 0x33333333;
    bits = (bits | bits >> 2) & 0x0f0f0f0f;
    bits = (bits | bits >> 4) & 0x00ff00ff;
    return (bits | bits >> 8) & 0x0000ffff;
}
/* The inverse: a zero in front of every bit. */
static inline uint32_t scp_morton_part(uint32_t bits) {
    bits = (bits | bits << 8) & 0x00ff00ff;
    bits = (bits | bits << 4) & 0x0f0f0f0f;
    bits = (bits | bits << 2) & 0x33333333;
    return (bits | bits << 1) & 0x55555555;
}
/* The node below one node of a coarser level, counted from its first, by row and column. */
static inline size_t scp_tree_node(size_t y, size_t x) {
    return scp_morton_part((uint32_t)y) << 1 | scp_morton_part((uint32_t)x);
}
/* Row and column of a node in the grid of its level. */
static inline void scp_tree_place(uint32_t *y, uint32_t *x, const struct scp_grid *grid,
                                  uint32_t level, uint32_t node) {
    const uint32_t width = (uint32_t)grid->width, root = node >> 2 * level;
    const uint32_t below = node & ((1u << 2 * level) - 1);
    *y = (root / width << level) + scp_morton_compact(below >> 1);
    *x = (root % width << level) + scp_morton_compact(below);
}

#endif
