/* Nearest mode, exact: Eq. 1 and Eq. 2 (Eq. 7 and Eq. 8 for key points), the first maximum over the
 * cells of the finest level, by branch and bound. Every factor lies in [0, 1], so the product over
 * the coarse levels bounds everything below a node. First a beam search runs down to the leaves and
 * finds an incumbent, a value to beat; then each level is taken once, coarse to fine, and only
 * nodes whose bound reaches the incumbent are expanded. No node is expanded twice. Bounds come from
 * the quantised tree; the few leaves that survive are scored exactly. A few queries go side by
 * side: what one does leaves the CPU with work while it waits for another's data. */
#include "search.h"

#include <string.h>

#define GROUP 4    /* queries side by side */
#define PADDING 16 /* kernels write that many more */

/* Nodes of one level with their bounds. */
struct node_list {
    float *bounds;
    uint32_t *nodes;
    size_t count;
};

/* Room for the nodes of one level of a beam. */
struct beam_memory {
    _Alignas(64) float bounds[SCP_BEAM_ROOM];
    _Alignas(64) uint32_t nodes[SCP_BEAM_ROOM];
};

/* Level 0, for all queries that have one vector there. */
struct shared_roots {
    struct node_list open, beam; /* what the beam does not expand, and what it does */
    float max_bound, max_open;   /* the largest bounds of all and of what is open */
    struct beam_memory memory;
};

/* One query in one image. Its incumbent is best_value at best_cell. */
struct query_search {
    const struct image *image;
    const struct query *query;
    struct scp_tree_query tree_queries[SCP_MATCH_MAX_LEVELS];
    struct node_list open[SCP_MATCH_MAX_LEVELS]; /* seen by the beam and not expanded */
    float max_bound[SCP_MATCH_MAX_LEVELS];       /* the largest bounds of all nodes seen */
    float max_open[SCP_MATCH_MAX_LEVELS];        /* and of the open ones */
    struct node_list beam;                       /* what was expanded last, four leaves each */
    size_t first;                                /* of its leaves, the one with the largest bound */
    uint32_t leaf, cached_levels; /* the last path followed, how many levels of it are cached, */
    float products[SCP_MATCH_MAX_LEVELS + 1]; /* and their similarities, multiplied */
    float best_value;
    uint32_t best_cell; /* row-major in the finest grid */
    uint64_t dots;
    struct beam_memory memory[SCP_MATCH_MAX_LEVELS];
};

static size_t list_room(const struct scp_grid *grid, size_t level) {
    return (scp_grid_cells(grid, level) + 2 * PADDING - 1) / 16 * 16;
}

size_t scp_search_scratch(const struct scp_grid *grid) {
    const size_t roots = (GROUP + 1) * list_room(grid, 0) * sizeof(float);
    return roots + 3 * list_room(grid, grid->levels - 1) * (sizeof(float) + sizeof(uint32_t));
}

static void *carve(struct node_list *list, void *memory, size_t room) {
    list->bounds = memory;
    list->nodes = (uint32_t *)(list->bounds + room);
    list->count = 0;
    return list->nodes + room;
}

static struct node_list list_in(struct beam_memory *memory) {
    return (struct node_list){memory->bounds, memory->nodes, 0};
}

/* Zeros behind the end, up to a multiple of 16 and at least 4; node 0 is a node. */
static void pad(const struct node_list *list) {
    memset(list->bounds + list->count, 0, PADDING * sizeof(float));
    memset(list->nodes + list->count, 0, 4 * sizeof(uint32_t));
}

/* The cells of a leaf and its ancestors, of levels from .. to; returns the leaf's place. */
static inline uint32_t path_cells(uint32_t *cells, const struct image *image, uint32_t leaf,
                                  uint32_t from, uint32_t to) {
    const uint32_t last = (uint32_t)image->grid.levels - 1, width = (uint32_t)image->grid.width;
    uint32_t y, x;
    scp_tree_place(&y, &x, &image->grid, last, leaf);
    for (uint32_t d = from; d <= to; d++)
        cells[d] = image->offset[d] + (y >> (last - d)) * (width << d) + (x >> (last - d));
    return y * (width << last) + x;
}

/* The exact products along the path to a leaf, down to level `to`: products[d + 1] becomes that of
 * the similarities of levels 0 to d. What the path shares with the one before is cached. Returns
 * the leaf's cell. */
static inline uint32_t multiply_path(struct query_search *s, uint32_t leaf, uint32_t to) {
    const struct image *image = s->image;
    const size_t channels = image->grid.channels;
    const uint32_t last = (uint32_t)image->grid.levels - 1, changed = leaf ^ s->leaf;
    uint32_t from = s->cached_levels;
    if (changed) {
        const uint32_t up = (31 - (uint32_t)__builtin_clz(changed)) / 2; /* levels from the leaf */
        const uint32_t shared = up < last ? last - up : 0;
        from = shared < from ? shared : from;
    }
    uint32_t cells[SCP_MATCH_MAX_LEVELS];
    float dots[SCP_MATCH_MAX_LEVELS];
    const uint32_t cell = path_cells(cells, image, leaf, from, to);
    s->leaf = leaf;
    s->cached_levels = from;
    if (from > to) return cell;
    image->kernels->dots.at(dots + from, s->query->vectors + from * channels, image->features,
                            cells + from, to + 1 - from, channels);
    for (uint32_t d = from; d <= to; d++)
        s->products[d + 1] =
            s->products[d] *
            scp_similarity(dots[d], s->query->norms[d], image->norms[cells[d]], image->epsilon);
    s->cached_levels = to + 1;
    s->dots += to + 1 - from;
    return cell;
}

/* Scores a leaf exactly. It becomes the incumbent if it is better, or as good and earlier in
 * row-major order. */
static void score_leaf(struct query_search *s, uint32_t leaf) {
    const uint32_t levels = (uint32_t)s->image->grid.levels;
    const uint32_t cell = multiply_path(s, leaf, levels - 1);
    const float product = s->products[levels];
    if (product > s->best_value || (product == s->best_value && cell < s->best_cell)) {
        s->best_value = product;
        s->best_cell = cell;
    }
}

/* A few vectors at a time: prefetches beyond what the CPU has buffers for make it wait. */
static inline void prefetch_vector(const float *vector, size_t channels) {
    for (size_t c = 0; c < channels; c += 16) __builtin_prefetch(vector + c);
}

/* What the beam's best leaf needs; coarser levels are near. */
static void prefetch_leaf(const struct query_search *s) {
    const struct image *image = s->image;
    const size_t channels = image->grid.channels;
    const uint32_t last = (uint32_t)image->grid.levels - 1;
    uint32_t cells[SCP_MATCH_MAX_LEVELS];
    const uint32_t from = last > 0 ? last - 1 : 0;
    path_cells(cells, image, s->open[last].nodes[s->first], from, last);
    for (uint32_t d = from; d <= last; d++)
        prefetch_vector(image->features + cells[d] * channels, channels);
}

/* Level 0 of the beam; its bounds are shared by queries with the same vector there. */
static void start_beam(struct query_search *s, const struct image *image, const struct query *query,
                       struct shared_roots *shared, int same_roots) {
    const struct scp_grid *grid = &image->grid;
    s->image = image;
    s->query = query;
    s->dots = 0;
    prefetch_vector(query->vectors, grid->channels);
    for (size_t d = 0; d < grid->levels; d++) scp_tree_query(&s->tree_queries[d], image, query, d);
    if (!same_roots) {
        struct node_list *roots = &shared->open;
        *roots = (struct node_list){roots->bounds, image->identity, scp_grid_cells(grid, 0)};
        shared->max_bound =
            image->tree_kernels->roots(roots->bounds, &s->tree_queries[0], image->level[0],
                                       scp_tree_roots(grid), grid->channels);
        memset(roots->bounds + roots->count, 0, PADDING * sizeof(float));
        shared->beam = list_in(&shared->memory);
        if (grid->levels > 1)
            shared->beam.count = image->tree_kernels->shortlist(
                shared->beam.bounds, shared->beam.nodes, &shared->max_open, roots->bounds,
                roots->nodes, roots->count, shared->max_bound, SCP_BEAM, image->beam_share[0]);
        pad(&shared->beam);
        s->dots = roots->count;
    }
    s->open[0] = shared->open;
    s->max_bound[0] = shared->max_bound;
    s->max_open[0] = shared->max_open;
    s->beam = shared->beam;
    s->products[0] = 1;
    s->leaf = s->cached_levels = 0;
}

/* The beams of all queries, level by level, to the leaves. */
static void run_beams(struct query_search *searches, size_t count) {
    const struct image *image = searches->image;
    const size_t last = image->grid.levels - 1, channels = image->grid.channels;
    for (size_t d = 1; d <= last; d++) {
        for (size_t q = 0; q < count; q++) {
            struct query_search *s = &searches[q];
            struct node_list *level = &s->open[d];
            const struct node_list *from = &s->beam;
            prefetch_vector(s->query->vectors + d * channels, channels);
            *level = list_in(&s->memory[d]);
            level->count = (from->count + 3) / 4 * 16;
            s->max_bound[d] = image->tree_kernels->spread(
                level->bounds, level->nodes, from->bounds, from->nodes, from->count,
                &s->tree_queries[d], image->level[d], channels);
            s->dots += 4 * from->count;
        }
        for (size_t q = 0; q < count && d < last; q++) {
            struct query_search *s = &searches[q];
            const struct node_list *level = &s->open[d];
            s->beam = list_in(&s->memory[0]);
            s->beam.count = image->tree_kernels->shortlist(
                s->beam.bounds, s->beam.nodes, &s->max_open[d], level->bounds, level->nodes,
                level->count, s->max_bound[d], SCP_BEAM, image->beam_share[d]);
            pad(&s->beam);
        }
    }
    for (size_t q = 0; q < count; q++) {
        struct query_search *s = &searches[q];
        s->first = image->tree_kernels->find(s->open[last].bounds, s->open[last].count,
                                             s->max_bound[last]);
        if (s->open[last].count) prefetch_leaf(s);
    }
}

/* The first incumbent: the beam's leaf with the largest bound. Of its other leaves, those that
 * reach its value are bounded again by their ancestors' exact similarities; few are left to be
 * scored. */
static void score_beam(struct query_search *s, struct node_list *scratch) {
    const struct image *image = s->image;
    const uint32_t last = (uint32_t)image->grid.levels - 1;
    const struct node_list *leaves = &s->open[last];
    s->best_value = 0;
    s->best_cell = UINT32_MAX;
    if (!leaves->count || !(leaves->bounds[s->first] > 0)) return;
    score_leaf(s, leaves->nodes[s->first]);
    scratch->count = image->tree_kernels->filter(scratch->bounds, scratch->nodes, leaves->bounds,
                                                 image->identity, leaves->count,
                                                 s->best_value > 0 ? s->best_value : SCP_TINY);
    for (size_t i = 0; i < scratch->count; i++) {
        const size_t at = scratch->nodes[i]; /* in the list of leaves */
        if (at == s->first || !(scratch->bounds[i] >= s->best_value)) continue;
        if (last > 0) {
            multiply_path(s, leaves->nodes[at], last - 1);
            if (!((double)s->products[last] * scratch->bounds[i] >=
                  (double)s->beam.bounds[at / 4] * s->best_value * 0.999999))
                continue;
        }
        score_leaf(s, leaves->nodes[at]);
    }
}

/* Appends the children of nodes of level d whose bound is at least min_bound to a list. */
static void expand(struct query_search *s, struct node_list *below, size_t d,
                   const struct node_list *from, float min_bound) {
    const struct image *image = s->image;
    if (!from->count) return;
    pad(from);
    below->count += image->tree_kernels->expand(
        below->bounds + below->count, below->nodes + below->count, from->bounds, from->nodes,
        from->count, &s->tree_queries[d + 1], image->level[d + 1], image->grid.channels, min_bound);
    s->dots += 4 * from->count;
}

/* Branch and bound, level by level: of the nodes that the beam left open and of the children found
 * on the way, those whose bound reaches the incumbent. */
static void branch_and_bound(struct query_search *s, struct node_list *now, struct node_list *next,
                             struct node_list *scratch) {
    const struct image *image = s->image;
    const size_t last = image->grid.levels - 1;
    /* a bound of 0 is worth nothing */
    const float min_bound = s->best_value > 0 ? s->best_value : SCP_TINY;
    now->count = 0;
    for (size_t d = 0; d < last; d++) {
        const struct node_list *open = &s->open[d];
        next->count = 0;
        if (s->max_open[d] >= min_bound) {
            scratch->count = image->tree_kernels->filter(
                scratch->bounds, scratch->nodes, open->bounds, open->nodes, open->count, min_bound);
            expand(s, next, d, scratch, min_bound);
        }
        expand(s, next, d, now, min_bound);
        struct node_list *swap = now;
        now = next;
        next = swap;
    }
    for (size_t i = 0; i < now->count; i++)
        if (now->bounds[i] >= s->best_value) score_leaf(s, now->nodes[i]);
}

static void add_bound_shares(float *bound_share, const struct query_search *s) {
    for (size_t d = 0; d + 1 < s->image->grid.levels; d++)
        if (s->max_bound[d] > 0) bound_share[d] += s->best_value / s->max_bound[d];
}

void scp_search_nearest(float *value, int32_t *index, uint64_t *dots, float *bound_share,
                        const struct image *image, const struct query *queries, size_t count,
                        void *memory) {
    const struct scp_grid *grid = &image->grid;
    struct query_search searches[GROUP];
    struct shared_roots shared[GROUP + 1]; /* one may be shared with the group before */
    struct node_list spare[3];
    size_t at = 0;
    for (size_t i = 0; i < GROUP + 1; i++) {
        shared[i].open.bounds = memory;
        memory = shared[i].open.bounds + list_room(grid, 0);
    }
    for (size_t i = 0; i < 3; i++)
        memory = carve(&spare[i], memory, list_room(grid, grid->levels - 1));
    for (size_t q = 0; q < count; q += GROUP) {
        const size_t n = count - q < GROUP ? count - q : GROUP;
        for (size_t i = 0; i < n; i++) {
            const int same_roots = q + i > 0 && queries[q + i].head == queries[q + i - 1].head;
            if (!same_roots) at = (at + 1) % (GROUP + 1);
            start_beam(&searches[i], image, &queries[q + i], &shared[at], same_roots);
        }
        run_beams(searches, n);
        for (size_t i = 0; i < n; i++) {
            struct query_search *s = &searches[i];
            score_beam(s, &spare[2]);
            branch_and_bound(s, &spare[0], &spare[1], &spare[2]);
            if (bound_share) add_bound_shares(bound_share, s);
            const int found = s->best_value > 0;
            value[s->query->number] = found ? s->best_value : 0;
            index[s->query->number] = found ? (int32_t)s->best_cell : 0;
            *dots += s->dots;
        }
    }
}
