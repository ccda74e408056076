/* Nearest mode, exact, by pruning: every factor lies in [0, 1], so the product over the coarse
 * levels bounds everything below a cell. First a narrow beam of promising nodes runs down to the
 * leaves and finds a value to beat; then each level is walked once, coarse to fine, and only nodes
 * whose bound reaches that value are expanded. No node is expanded twice. Bounds come from the
 * quantised tree; the few leaves that survive are scored exactly. */
#include "match.h"

/* Nodes that the beam expands on each level. Fewer find a worse value to beat, more expand nodes
 * that the value would have excluded. */
#ifndef BEAM
#define BEAM 10
#endif

struct best {
    float value;
    uint32_t place; /* row-major cell of the finest grid */
};

/* Scores a leaf exactly and keeps it if it is better, or as good and earlier in row-major order. */
static void consider(struct best *best, const struct image *image, const float *query,
                     const float *query_norms, uint32_t leaf, uint64_t *dots) {
    const struct scp_grid *grid = &image->grid;
    const size_t channels = grid->channels, last = grid->levels - 1;
    size_t y, x, offset = 0;
    float product = 1;
    scp_tree_place(grid, last, leaf, &y, &x);
    for (size_t d = 0; d <= last; d++) {
        const size_t cell = offset + (y >> (last - d)) * (grid->width << d) + (x >> (last - d));
        const float dot =
            image->kernels->dot(query + d * channels, image->features + cell * channels, channels);
        product *= scp_similarity(dot, query_norms[d], image->norms[cell], image->epsilon);
        offset += scp_grid_cells(grid, d);
    }
    *dots += grid->levels;
    const uint32_t place = (uint32_t)(y * (grid->width << last) + x);
    if (product > best->value || (product == best->value && place < best->place))
        *best = (struct best){product, place};
}

/* The nodes of a level that are known and not expanded yet. */
struct list {
    float *bounds;
    uint32_t *nodes;
    size_t count;
};

static size_t list_room(const struct scp_grid *grid, size_t level) {
    return (scp_grid_cells(grid, level) + 8 + 15) / 16 * 16; /* 8: what expand may overwrite */
}

/* Moves the entries with bound >= least to `to` (up to its room of `room`), drops the others if
 * `drop`, else keeps them. */
static void split(struct list *from, struct list *to, float least, int drop) {
    size_t kept = 0, moved = 0;
    for (size_t i = 0; i < from->count; i++) {
        const float bound = from->bounds[i];
        const uint32_t node = from->nodes[i];
        const size_t move = bound >= least;
        to->bounds[moved] = bound;
        to->nodes[moved] = node;
        from->bounds[kept] = bound;
        from->nodes[kept] = node;
        moved += move;
        kept += 1 - move;
    }
    to->count = moved;
    from->count = drop ? 0 : kept;
}

static size_t argmax(const struct list *list) {
    size_t at = 0;
    for (size_t i = 1; i < list->count; i++)
        if (list->bounds[i] > list->bounds[at]) at = i;
    return at;
}

/* A bound that at least one and at most BEAM entries of the list reach, or a few more on ties. */
static float beam_bound(const struct list *list) {
    float low = 0, high = list->bounds[argmax(list)];
    for (int step = 0; step < 6; step++) {
        const float middle = 0.5f * (low + high);
        int reach = 0;
        for (size_t i = 0; i < list->count; i++) reach += list->bounds[i] >= middle;
        if (reach > BEAM)
            low = middle;
        else
            high = middle;
    }
    return high;
}

size_t scp_search_scratch(const struct scp_grid *grid) {
    size_t entries = list_room(grid, grid->levels - 1);
    for (size_t d = 0; d < grid->levels; d++) entries += list_room(grid, d);
    return entries * (sizeof(float) + sizeof(uint32_t)) +
           grid->levels * grid->channels * sizeof(int16_t);
}

static void *carve(struct list *list, void *memory, size_t room) {
    list->bounds = memory;
    list->nodes = (uint32_t *)(list->bounds + room);
    list->count = 0;
    return list->nodes + room;
}

void scp_search_nearest(float *value, int32_t *index, uint64_t *dots, const struct image *image,
                        const float *query, const float *query_norms, void *memory) {
    const struct scp_grid *grid = &image->grid;
    const size_t channels = grid->channels, last = grid->levels - 1;
    struct list levels[SCP_MATCH_MAX_LEVELS], now;
    for (size_t d = 0; d <= last; d++) memory = carve(&levels[d], memory, list_room(grid, d));
    int16_t *quantised = carve(&now, memory, list_room(grid, last));
    scp_tree_query(quantised, query, grid->levels, channels);

    struct list *roots = &levels[0];
    image->kernels->expand(roots->bounds, roots->nodes, image->root_bounds, image->root_parents,
                           scp_tree_roots(grid) / 4, quantised, image->tree, channels,
                           SCP_TREE_SCALE, image->slack, 0);
    roots->count = scp_grid_cells(grid, 0); /* without the filling */
    *dots += roots->count;

    struct best best = {0, UINT32_MAX};
    float least = 0;
    uint32_t dived = UINT32_MAX;
    for (int walk = 0; walk < 2; walk++) {
        for (size_t d = 0; d < last; d++) {
            struct list *level = &levels[d], *below = &levels[d + 1];
            if (level->count == 0) continue;
            if (!walk) least = beam_bound(level);
            split(level, &now, least, walk);
            below->count += image->kernels->expand(
                below->bounds + below->count, below->nodes + below->count, now.bounds, now.nodes,
                now.count, quantised + (d + 1) * channels,
                image->tree + scp_tree_offset(grid, d + 1) * channels, channels, SCP_TREE_SCALE,
                image->slack, walk ? least : 0);
            *dots += 4 * now.count;
        }
        const struct list *leaves = &levels[last];
        if (!walk) {
            dived = leaves->nodes[argmax(leaves)];
            consider(&best, image, query, query_norms, dived, dots);
            least = best.value > 0 ? best.value : SCP_TINY; /* bounds of 0 are never worth it */
            continue;
        }
        for (size_t i = 0; i < leaves->count; i++)
            if (leaves->bounds[i] >= best.value && leaves->bounds[i] > 0 &&
                leaves->nodes[i] != dived)
                consider(&best, image, query, query_norms, leaves->nodes[i], dots);
    }
    if (!(best.value > 0)) best = (struct best){0, 0};
    *value = best.value;
    *index = (int32_t)best.place;
}
