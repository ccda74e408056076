/* Nearest mode, exact, by pruning: every factor lies in [0, 1], so the product over the coarse
 * levels bounds everything below a cell. First a narrow beam of promising nodes runs down to the
 * leaves and finds a value to beat; then each level is walked once, coarse to fine, and only nodes
 * whose bound reaches that value are expanded. No node is expanded twice. Bounds come from the
 * quantised tree; the few leaves that survive are scored exactly. A few queries
 * go side by side: each step of one leaves the CPU with work while it waits for another's. */
#include "match.h"

/* Nodes that the beam expands on each level. Fewer find a worse value to beat, more expand nodes
 * that the value would have excluded. */
#define BEAM 16
/* ... and only those that reach this share of the largest bound: sharp features have few. */
#define LEAST_SHARE 0.5f
#define FILLING 16 /* kernels write that many more */

struct list {
    float *bounds;
    uint32_t *nodes;
    size_t count;
};

/* The beam's nodes of a level. */
struct few {
    _Alignas(64) float bounds[4 * BEAM + FILLING];
    _Alignas(64) uint32_t nodes[4 * BEAM + FILLING];
};

struct search {
    const struct image *image;
    const struct query *query;
    struct scp_tree_query steps[SCP_MATCH_MAX_LEVELS];
    struct list levels[SCP_MATCH_MAX_LEVELS]; /* what the beam saw and did not expand */
    float left[SCP_MATCH_MAX_LEVELS];         /* the largest bound of those */
    struct list chosen;                       /* what it expands next */
    uint32_t leaf;                            /* where it arrived */
    uint32_t scored;                          /* the last leaf that was, */
    float products[SCP_MATCH_MAX_LEVELS + 1]; /* and the similarities down to it, multiplied */
    float value;
    uint32_t place; /* row-major cell of the finest grid */
    uint64_t dots;
    struct few memory[SCP_MATCH_MAX_LEVELS];
};

static size_t list_room(const struct scp_grid *grid, size_t level) {
    return (scp_grid_cells(grid, level) + 2 * FILLING - 1) / 16 * 16;
}

size_t scp_search_scratch(const struct scp_grid *grid) {
    const size_t roots = SCP_SEARCH_QUERIES * list_room(grid, 0) * sizeof(float);
    return roots + 3 * list_room(grid, grid->levels - 1) * (sizeof(float) + sizeof(uint32_t));
}

static void *carve(struct list *list, void *memory, size_t room) {
    list->bounds = memory;
    list->nodes = (uint32_t *)(list->bounds + room);
    list->count = 0;
    return list->nodes + room;
}

/* Every second bit. */
static uint32_t compact(uint32_t bits) {
    bits &= 0x55555555;
    bits = (bits | bits >> 1) & 0x33333333;
    bits = (bits | bits >> 2) & 0x0f0f0f0f;
    bits = (bits | bits >> 4) & 0x00ff00ff;
    return (bits | bits >> 8) & 0x0000ffff;
}

/* The cells of a leaf and its ancestors from level `from` on; the leaf's place. */
static inline uint32_t path(uint32_t *cells, const struct image *image, uint32_t leaf,
                            uint32_t from) {
    const uint32_t last = (uint32_t)image->grid.levels - 1, root = leaf >> 2 * last;
    const uint32_t below = leaf & ((1u << 2 * last) - 1), width = (uint32_t)image->grid.width;
    const uint32_t y = (root / width << last) + compact(below >> 1);
    const uint32_t x = (root % width << last) + compact(below);
    for (uint32_t d = from; d <= last; d++)
        cells[d] = image->offset[d] + (y >> (last - d)) * (width << d) + (x >> (last - d));
    return y * (width << last) + x;
}

/* Scores a leaf exactly and keeps it if it is better, or as good and earlier in row-major order.
 * The product over the ancestors that it shares with the leaf before is known. */
static void consider(struct search *s, uint32_t leaf) {
    const struct image *image = s->image;
    const size_t channels = image->grid.channels;
    const uint32_t last = (uint32_t)image->grid.levels - 1, changed = leaf ^ s->scored;
    const uint32_t up = changed ? (31 - (uint32_t)__builtin_clz(changed)) / 2 : 0;
    const uint32_t from = up < last ? last - up : 0;
    uint32_t cells[SCP_MATCH_MAX_LEVELS];
    float dots[SCP_MATCH_MAX_LEVELS];
    const uint32_t place = path(cells, image, leaf, from);
    image->kernels->dots_at(dots + from, s->query->vectors + from * channels, image->features,
                            cells + from, last + 1 - from, channels);
    for (uint32_t d = from; d <= last; d++)
        s->products[d + 1] =
            s->products[d] *
            scp_similarity(dots[d], s->query->norms[d], image->norms[cells[d]], image->epsilon);
    s->scored = leaf;
    s->dots += last + 1 - from;
    const float product = s->products[last + 1];
    if (product > s->value || (product == s->value && place < s->place)) {
        s->value = product;
        s->place = place;
    }
}

/* Appends the children of nodes of level d that reach `least` to a list. */
static void descend(struct search *s, struct list *below, size_t d, const struct list *from,
                    float least) {
    const struct image *image = s->image;
    if (!from->count) return;
    for (size_t i = from->count; i % 4; i++) from->bounds[i] = 0, from->nodes[i] = 0;
    below->count += image->steps->expand(below->bounds + below->count, below->nodes + below->count,
                                         from->bounds, from->nodes, from->count, &s->steps[d + 1],
                                         image->level[d + 1], image->grid.channels, least);
    s->dots += 4 * from->count;
}

static void begin(struct search *s, const struct image *image, const struct query *query,
                  float *bounds) {
    const struct scp_grid *grid = &image->grid;
    s->image = image;
    s->query = query;
    for (size_t d = 0; d < grid->levels; d++) scp_tree_query(&s->steps[d], image, query, d);
    image->steps->roots(bounds, &s->steps[0], image->level[0], scp_tree_roots(grid),
                        grid->channels);
    s->levels[0] = (struct list){bounds, image->roots, scp_grid_cells(grid, 0)};
    for (size_t d = 1; d < grid->levels; d++)
        s->levels[d] = (struct list){s->memory[d].bounds, s->memory[d].nodes, 0};
    s->chosen = (struct list){s->memory[0].bounds, s->memory[0].nodes, 0};
    s->products[0] = 1;
    s->scored = UINT32_MAX; /* no leaf: shares nothing with any */
    s->dots = s->levels[0].count;
}

/* The beams of all queries, level by level. */
static void dive(struct search *searches, size_t count) {
    const struct image *image = searches->image;
    const size_t last = image->grid.levels - 1;
    for (size_t d = 0; d < last; d++) {
        for (size_t q = 0; q < count; q++) {
            struct search *s = &searches[q];
            const struct list *level = &s->levels[d];
            s->chosen.count = image->steps->shortlist(s->chosen.bounds, s->chosen.nodes,
                                                      &s->left[d], level->bounds, level->nodes,
                                                      level->count, BEAM, LEAST_SHARE);
        }
        for (size_t q = 0; q < count; q++) {
            struct search *s = &searches[q];
            descend(s, &s->levels[d + 1], d, &s->chosen, SCP_TINY);
        }
    }
    for (size_t q = 0; q < count; q++) {
        struct search *s = &searches[q];
        const struct list *leaves = &s->levels[last];
        s->leaf = UINT32_MAX;
        if (!leaves->count) continue;
        for (size_t i = 0; i < FILLING; i++) leaves->bounds[leaves->count + i] = 0;
        s->leaf = leaves->nodes[image->steps->largest(leaves->bounds, leaves->count)];
    }
}

static void score(struct search *s, const struct list *leaves) {
    for (size_t i = 0; i < leaves->count; i++)
        if (leaves->bounds[i] >= s->value && leaves->nodes[i] != s->leaf)
            consider(s, leaves->nodes[i]);
}

/* The best of all leaves: every one that reaches the value of the beam's is scored. */
static void walk(struct search *s, struct list *now, struct list *next, struct list *chosen) {
    const struct image *image = s->image;
    const size_t last = image->grid.levels - 1;
    s->value = 0;
    s->place = UINT32_MAX;
    if (s->leaf != UINT32_MAX) consider(s, s->leaf);
    const float least = s->value > 0 ? s->value : SCP_TINY; /* a bound of 0 is worth nothing */
    now->count = 0;
    for (size_t d = 0; d < last; d++) {
        const struct list *level = &s->levels[d];
        next->count = 0;
        if (s->left[d] >= least) { /* what the beam saw and left */
            chosen->count = image->steps->filter(chosen->bounds, chosen->nodes, level->bounds,
                                                 level->nodes, level->count, least);
            descend(s, next, d, chosen, least);
        }
        descend(s, next, d, now, least); /* what the walk brought */
        struct list *swap = now;
        now = next;
        next = swap;
    }
    const struct list *leaves = &s->levels[last];
    chosen->count = image->steps->filter(chosen->bounds, chosen->nodes, leaves->bounds,
                                         leaves->nodes, leaves->count, least);
    score(s, chosen);
    score(s, now);
    if (!(s->value > 0)) s->value = 0, s->place = 0;
}

void scp_search_nearest(float *value, int32_t *index, uint64_t *dots, const struct image *image,
                        const struct query *queries, size_t count, void *memory) {
    const struct scp_grid *grid = &image->grid;
    struct search searches[SCP_SEARCH_QUERIES];
    struct list spare[3];
    float *roots = memory;
    memory = roots + SCP_SEARCH_QUERIES * list_room(grid, 0);
    for (size_t i = 0; i < 3; i++)
        memory = carve(&spare[i], memory, list_room(grid, grid->levels - 1));
    for (size_t q = 0; q < count; q++)
        begin(&searches[q], image, &queries[q], roots + q * list_room(grid, 0));
    dive(searches, count);
    for (size_t q = 0; q < count; q++) {
        walk(&searches[q], &spare[0], &spare[1], &spare[2]);
        value[q] = searches[q].value;
        index[q] = (int32_t)searches[q].place;
        *dots += searches[q].dots;
    }
}
