/* Nearest mode, exact, by pruning: every factor lies in [0, 1], so the product over the coarse
 * levels bounds everything below a cell. First a narrow beam of promising nodes runs down to the
 * leaves and finds a value to beat; then each level is walked once, coarse to fine, and only nodes
 * whose bound reaches that value are expanded. No node is expanded twice. Bounds come from the
 * quantised tree; the few leaves that survive are scored exactly. */
#include "match.h"

/* Nodes that the beam expands on each level. Fewer find a worse value to beat, more expand nodes
 * that the value would have excluded. */
#define BEAM 10
/* ... and only those that reach this share of the largest bound: sharp features have few. */
#define LEAST_SHARE 0.5f

struct best {
    float value;
    uint32_t place; /* row-major cell of the finest grid */
};

/* Scores a leaf exactly and keeps it if it is better, or as good and earlier in row-major order. */
static void consider(struct best *best, const struct image *image, const struct query *query,
                     uint32_t leaf, uint64_t *dots) {
    const struct scp_grid *grid = &image->grid;
    const size_t channels = grid->channels, last = grid->levels - 1;
    size_t y, x, offset = 0, cells[SCP_MATCH_MAX_LEVELS];
    float product = 1;
    scp_tree_place(grid, last, leaf, &y, &x);
    for (size_t d = 0; d <= last; d++) { /* far apart in memory: all are asked for at once */
        cells[d] = offset + (y >> (last - d)) * (grid->width << d) + (x >> (last - d));
        offset += scp_grid_cells(grid, d);
        for (size_t c = 0; c < channels; c += 16)
            __builtin_prefetch(image->features + cells[d] * channels + c);
        __builtin_prefetch(image->norms + cells[d]);
    }
    for (size_t d = 0; d <= last; d++) {
        const size_t cell = cells[d];
        const float dot = image->kernels->dot(query->vectors + d * channels,
                                              image->features + cell * channels, channels);
        product *= scp_similarity(dot, query->norms[d], image->norms[cell], image->epsilon);
    }
    *dots += grid->levels;
    const uint32_t place = (uint32_t)(y * (grid->width << last) + x);
    if (product > best->value || (product == best->value && place < best->place))
        *best = (struct best){product, place};
}

/* The known nodes of a level. The beam expanded those of the first `seen` that reach `taken`. */
struct list {
    float *bounds;
    uint32_t *nodes;
    size_t count, seen;
    float taken;
};

static size_t list_room(const struct scp_grid *grid, size_t level) {
    return (scp_grid_cells(grid, level) + 31) / 16 * 16; /* kernels may write 16 more */
}

static size_t argmax(const struct list *list) {
    size_t at = 0;
    for (size_t i = 1; i < list->count; i++)
        if (list->bounds[i] > list->bounds[at]) at = i;
    return at;
}

size_t scp_search_scratch(const struct scp_grid *grid) {
    size_t entries = list_room(grid, grid->levels - 1);
    for (size_t d = 0; d < grid->levels; d++) entries += list_room(grid, d);
    return entries * (sizeof(float) + sizeof(uint32_t));
}

static void *carve(struct list *list, void *memory, size_t room) {
    list->bounds = memory;
    list->nodes = (uint32_t *)(list->bounds + room);
    list->count = list->seen = 0;
    return list->nodes + room;
}

/* Expands count nodes of level d and appends the children with bound >= least to the next level. */
static void descend(struct list *levels, size_t d, const float *bounds, const uint32_t *nodes,
                    size_t count, const struct image *image, const int16_t *query, float least,
                    uint64_t *dots) {
    const size_t channels = image->grid.channels;
    struct list *below = &levels[d + 1];
    below->count += image->kernels->expand(
        below->bounds + below->count, below->nodes + below->count, bounds, nodes, count,
        query + (d + 1) * channels, image->tree + scp_tree_offset(&image->grid, d + 1) * channels,
        channels, SCP_TREE_SCALE, image->slack, least);
    *dots += 4 * count;
}

void scp_search_nearest(float *value, int32_t *index, uint64_t *dots, const struct image *image,
                        const struct query *query, void *memory) {
    const struct scp_grid *grid = &image->grid;
    const struct scp_kernels *kernels = image->kernels;
    const size_t last = grid->levels - 1;
    struct list levels[SCP_MATCH_MAX_LEVELS], now;
    for (size_t d = 0; d <= last; d++) memory = carve(&levels[d], memory, list_room(grid, d));
    carve(&now, memory, list_room(grid, last));
    const int16_t *quantised = query->quantised;

    struct list *roots = &levels[0];
    kernels->roots(roots->bounds, quantised, image->tree, scp_tree_roots(grid), grid->channels,
                   SCP_TREE_SCALE, image->slack);
    roots->nodes = image->roots;
    roots->count = scp_grid_cells(grid, 0); /* without the filling */
    *dots += roots->count;

    /* The beam. */
    for (size_t d = 0; d < last; d++) {
        struct list *level = &levels[d];
        level->taken = kernels->shortlist(level->bounds, level->count, BEAM, LEAST_SHARE);
        level->seen = level->count;
        now.count = kernels->filter(now.bounds, now.nodes, level->bounds, level->nodes,
                                    level->count, level->taken, 2);
        descend(levels, d, now.bounds, now.nodes, now.count, image, quantised, 0, dots);
    }
    struct best best = {0, UINT32_MAX};
    const struct list *leaves = &levels[last];
    const uint32_t dived = leaves->nodes[argmax(leaves)];
    consider(&best, image, query, dived, dots);
    const float least = best.value > 0 ? best.value : SCP_TINY; /* a bound of 0 is worth nothing */

    /* The walk: what the beam saw and left, then what the walk itself brought. */
    for (size_t d = 0; d < last; d++) {
        const struct list *level = &levels[d];
        const size_t seen = level->seen;
        now.count = kernels->filter(now.bounds, now.nodes, level->bounds, level->nodes, seen, least,
                                    level->taken);
        descend(levels, d, now.bounds, now.nodes, now.count, image, quantised, least, dots);
        descend(levels, d, level->bounds + seen, level->nodes + seen, level->count - seen, image,
                quantised, least, dots);
    }
    for (size_t i = 0; i < leaves->count; i++)
        if (leaves->bounds[i] >= best.value && leaves->bounds[i] > 0 && leaves->nodes[i] != dived)
            consider(&best, image, query, leaves->nodes[i], dots);
    if (!(best.value > 0)) best = (struct best){0, 0};
    *value = best.value;
    *index = (int32_t)best.place;
}
