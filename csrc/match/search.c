/* Nearest mode, exact, by pruning: every factor lies in [0, 1], so the product over the coarse
 * levels bounds everything below a cell. One dive to a promising leaf gives a value to beat; then
 * the tree is walked level by level, and only cells whose bound reaches that value go on. Bounds
 * come from the quantised tree; the few leaves that survive are scored exactly. */
#include "match.h"

#include <string.h>

struct best {
    float value;
    uint32_t place; /* row-major cell of the finest grid */
};

/* The exact similarity at a leaf; also its row-major place. */
static float leaf_value(const struct image *image, const float *query, const float *query_norms,
                        uint32_t leaf, uint32_t *place) {
    const struct scp_grid *grid = &image->grid;
    float product = 1;
    for (size_t d = 0; d < grid->levels; d++) {
        size_t y, x;
        scp_tree_place(grid, d, leaf >> 2 * (grid->levels - 1 - d), &y, &x);
        const size_t in_level = y * (grid->width << d) + x;
        const size_t cell = scp_grid_offset(grid, d) + in_level;
        const float dot = image->kernels->dot(
            query + d * grid->channels, image->features + cell * grid->channels, grid->channels);
        product *= scp_similarity(dot, query_norms[d], image->norms[cell], image->epsilon);
        *place = (uint32_t)in_level;
    }
    return product;
}

static void consider(struct best *best, const struct image *image, const float *query,
                     const float *query_norms, uint32_t leaf, uint64_t *dots) {
    uint32_t place = 0;
    const float value = leaf_value(image, query, query_norms, leaf, &place);
    if (value > best->value || (value == best->value && place < best->place))
        *best = (struct best){value, place};
    *dots += image->grid.levels;
}

static size_t argmax(const float *values, size_t count) {
    size_t at = 0;
    for (size_t i = 1; i < count; i++)
        if (values[i] > values[at]) at = i;
    return at;
}

/* The nodes with the largest bounds, best first. */
#ifndef BEAM
#define BEAM 6
#endif
struct beam {
    size_t count;
    float bounds[BEAM];
    uint32_t nodes[BEAM];
};

static void widen(struct beam *beam, const float *bounds, const uint32_t *nodes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (beam->count == BEAM && !(bounds[i] > beam->bounds[BEAM - 1])) continue;
        size_t at = beam->count < BEAM ? beam->count++ : BEAM - 1;
        for (; at > 0 && bounds[i] > beam->bounds[at - 1]; at--) {
            beam->bounds[at] = beam->bounds[at - 1];
            beam->nodes[at] = beam->nodes[at - 1];
        }
        beam->bounds[at] = bounds[i];
        beam->nodes[at] = nodes[i];
    }
}

struct scratch {
    int16_t *query;   /* [D][C] */
    float *bounds[2]; /* two lists of nodes, each as large as the finest level */
    uint32_t *nodes[2];
};

static struct scratch carve(const struct scp_grid *grid, void *memory) {
    const size_t finest = scp_grid_cells(grid, grid->levels - 1) + 4;
    struct scratch s;
    s.bounds[0] = memory;
    s.bounds[1] = s.bounds[0] + finest;
    s.nodes[0] = (uint32_t *)(s.bounds[1] + finest);
    s.nodes[1] = s.nodes[0] + finest;
    s.query = (int16_t *)(s.nodes[1] + finest);
    return s;
}

size_t scp_search_scratch(const struct scp_grid *grid) {
    const size_t finest = scp_grid_cells(grid, grid->levels - 1) + 4;
    return 2 * finest * (sizeof(float) + sizeof(uint32_t)) +
           grid->levels * grid->channels * sizeof(int16_t);
}

void scp_search_nearest(float *value, int32_t *index, uint64_t *dots, const struct image *image,
                        const float *query, const float *query_norms, void *memory) {
    const struct scp_grid *grid = &image->grid;
    const size_t channels = grid->channels, last = grid->levels - 1;
    struct scratch s = carve(grid, memory);
    scp_tree_query(s.query, query, grid->levels, channels);

    size_t count = scp_grid_cells(grid, 0);
    image->kernels->expand(s.bounds[0], s.nodes[0], image->root_bounds, image->root_parents,
                           scp_tree_roots(grid) / 4, s.query, image->tree, channels, SCP_TREE_SCALE,
                           image->slack, 0);
    *dots += count;

    /* Dive: a beam of the most promising nodes, level by level, down to leaves. */
    struct beam beam = {.count = 0};
    widen(&beam, s.bounds[0], s.nodes[0], count);
    for (size_t d = 1; d <= last; d++) {
        float bounds[4 * BEAM];
        uint32_t nodes[4 * BEAM];
        const int16_t *cells = image->tree + scp_tree_offset(grid, d) * channels;
        const size_t children = image->kernels->expand(bounds, nodes, beam.bounds, beam.nodes,
                                                       beam.count, s.query + d * channels, cells,
                                                       channels, SCP_TREE_SCALE, image->slack, 0);
        *dots += children;
        beam.count = 0;
        widen(&beam, bounds, nodes, children);
    }
    struct best best = {0, UINT32_MAX};
    consider(&best, image, query, query_norms, beam.nodes[0], dots);
    const uint32_t dived = beam.nodes[0];

    /* Walk: list a holds the surviving nodes of one level, list b receives their children. */
    float *bounds = s.bounds[0], *next_bounds = s.bounds[1];
    uint32_t *nodes = s.nodes[0], *next_nodes = s.nodes[1];
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bounds[kept] = bounds[i];
        nodes[kept] = nodes[i];
        kept += bounds[i] >= best.value && bounds[i] > 0;
    }
    count = kept;
    for (size_t d = 1; d <= last; d++) {
        const int16_t *cells = image->tree + scp_tree_offset(grid, d) * channels;
        kept = image->kernels->expand(next_bounds, next_nodes, bounds, nodes, count,
                                      s.query + d * channels, cells, channels, SCP_TREE_SCALE,
                                      image->slack, best.value);
        *dots += 4 * count;
        count = kept;
        float *b = bounds;
        uint32_t *n = nodes;
        bounds = next_bounds, next_bounds = b;
        nodes = next_nodes, next_nodes = n;
    }

    /* Score the surviving leaves exactly, the most promising one first. */
    if (count) {
        const size_t at = argmax(bounds, count);
        consider(&best, image, query, query_norms, nodes[at], dots);
        nodes[at] = dived;
    }
    for (size_t i = 0; i < count; i++)
        if (bounds[i] >= best.value && nodes[i] != dived)
            consider(&best, image, query, query_norms, nodes[i], dots);
    if (!(best.value > 0)) best = (struct best){0, 0};
    *value = best.value;
    *index = (int32_t)best.place;
}
