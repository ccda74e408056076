/* Nearest mode, exact, by pruning: every factor lies in [0, 1], so the product over the coarse
 * levels bounds everything below a cell. First a narrow beam of promising nodes runs down to the
 * leaves and finds a value to beat; then each level is walked once, coarse to fine, and only nodes
 * whose bound reaches that value are expanded. No node is expanded twice. Bounds come from the
 * quantised tree; the few leaves that survive are scored exactly. A few queries go side by side:
 * each step of one leaves the CPU with work while it waits for another's. */
#include "match.h"

#include <string.h>

#define GROUP 4    /* queries side by side */
#define FILLING 16 /* kernels write that many more */

struct list {
    float *bounds;
    uint32_t *nodes;
    size_t count;
};

/* Room for what the beam knows of a level. */
struct few {
    _Alignas(64) float bounds[SCP_BEAM_ROOM];
    _Alignas(64) uint32_t nodes[SCP_BEAM_ROOM];
};

/* Level 0, for all queries that have one vector there. */
struct top {
    struct list roots, chosen; /* what the beam left, and what it expands */
    float largest, left;       /* the largest bounds of all and of what it left */
    struct few memory;
};

struct search {
    const struct image *image;
    const struct query *query;
    struct scp_tree_query steps[SCP_MATCH_MAX_LEVELS];
    struct list levels[SCP_MATCH_MAX_LEVELS]; /* what the beam saw and did not expand */
    float largest[SCP_MATCH_MAX_LEVELS];      /* the largest bounds of all */
    float left[SCP_MATCH_MAX_LEVELS];         /* and of those */
    struct list chosen;                       /* what it expanded last, four leaves each */
    size_t first;                             /* of its leaves, the one with the largest bound */
    uint32_t leaf, known;                     /* the last path followed, the levels known of it, */
    float products[SCP_MATCH_MAX_LEVELS + 1]; /* and their similarities, multiplied */
    float value;
    uint32_t place; /* row-major cell of the finest grid */
    uint64_t dots;
    struct few memory[SCP_MATCH_MAX_LEVELS];
};

static size_t list_room(const struct scp_grid *grid, size_t level) {
    return (scp_grid_cells(grid, level) + 2 * FILLING - 1) / 16 * 16;
}

size_t scp_search_scratch(const struct scp_grid *grid) {
    const size_t roots = (GROUP + 1) * list_room(grid, 0) * sizeof(float);
    return roots + 3 * list_room(grid, grid->levels - 1) * (sizeof(float) + sizeof(uint32_t));
}

static void *carve(struct list *list, void *memory, size_t room) {
    list->bounds = memory;
    list->nodes = (uint32_t *)(list->bounds + room);
    list->count = 0;
    return list->nodes + room;
}

static struct list list_in(struct few *memory) {
    return (struct list){memory->bounds, memory->nodes, 0};
}

/* Zeros behind the end, up to a multiple of 16 and at least 4; node 0 is a node. */
static void fill(const struct list *list) {
    memset(list->bounds + list->count, 0, FILLING * sizeof(float));
    memset(list->nodes + list->count, 0, 4 * sizeof(uint32_t));
}

/* The cells of a leaf and its ancestors, of levels from .. to; returns the leaf's place. */
static inline uint32_t path(uint32_t *cells, const struct image *image, uint32_t leaf,
                            uint32_t from, uint32_t to) {
    const uint32_t last = (uint32_t)image->grid.levels - 1, width = (uint32_t)image->grid.width;
    uint32_t y, x;
    scp_tree_place(&y, &x, &image->grid, last, leaf);
    for (uint32_t d = from; d <= to; d++)
        cells[d] = image->offset[d] + (y >> (last - d)) * (width << d) + (x >> (last - d));
    return y * (width << last) + x;
}

/* Follows the path to a leaf down to level `to`: products[d + 1] becomes the exact product of the
 * similarities of levels 0 to d. What it shares with the path before is known. */
static inline uint32_t follow(struct search *s, uint32_t leaf, uint32_t to) {
    const struct image *image = s->image;
    const size_t channels = image->grid.channels;
    const uint32_t last = (uint32_t)image->grid.levels - 1, changed = leaf ^ s->leaf;
    uint32_t from = s->known;
    if (changed) {
        const uint32_t up = (31 - (uint32_t)__builtin_clz(changed)) / 2; /* levels from the leaf */
        const uint32_t shared = up < last ? last - up : 0;
        from = shared < from ? shared : from;
    }
    uint32_t cells[SCP_MATCH_MAX_LEVELS];
    float dots[SCP_MATCH_MAX_LEVELS];
    const uint32_t place = path(cells, image, leaf, from, to);
    s->leaf = leaf;
    s->known = from;
    if (from > to) return place;
    image->kernels->dots.at(dots + from, s->query->vectors + from * channels, image->features,
                            cells + from, to + 1 - from, channels);
    for (uint32_t d = from; d <= to; d++)
        s->products[d + 1] =
            s->products[d] *
            scp_similarity(dots[d], s->query->norms[d], image->norms[cells[d]], image->epsilon);
    s->known = to + 1;
    s->dots += to + 1 - from;
    return place;
}

/* Scores a leaf exactly and keeps it if it is better, or as good and earlier in row-major order. */
static void consider(struct search *s, uint32_t leaf) {
    const uint32_t levels = (uint32_t)s->image->grid.levels, place = follow(s, leaf, levels - 1);
    const float product = s->products[levels];
    if (product > s->value || (product == s->value && place < s->place)) {
        s->value = product;
        s->place = place;
    }
}

/* Asks for a vector that will be needed: a few at a time, more than the CPU can ask for wait. */
static inline void ask(const float *vector, size_t channels) {
    for (size_t c = 0; c < channels; c += 16) __builtin_prefetch(vector + c);
}

/* Asks for what the beam's best leaf needs; coarser levels are near. */
static void fetch(const struct search *s) {
    const struct image *image = s->image;
    const size_t channels = image->grid.channels;
    const uint32_t last = (uint32_t)image->grid.levels - 1;
    uint32_t cells[SCP_MATCH_MAX_LEVELS];
    const uint32_t from = last > 0 ? last - 1 : 0;
    path(cells, image, s->levels[last].nodes[s->first], from, last);
    for (uint32_t d = from; d <= last; d++) ask(image->features + cells[d] * channels, channels);
}

/* Level 0 of the beam. */
static void begin(struct search *s, const struct image *image, const struct query *query,
                  struct top *top, int known) {
    const struct scp_grid *grid = &image->grid;
    s->image = image;
    s->query = query;
    s->dots = 0;
    ask(query->vectors, grid->channels);
    for (size_t d = 0; d < grid->levels; d++) scp_tree_query(&s->steps[d], image, query, d);
    if (!known) {
        struct list *roots = &top->roots;
        *roots = (struct list){roots->bounds, image->numbers, scp_grid_cells(grid, 0)};
        top->largest = image->steps->roots(roots->bounds, &s->steps[0], image->level[0],
                                           scp_tree_roots(grid), grid->channels);
        memset(roots->bounds + roots->count, 0, FILLING * sizeof(float));
        top->chosen = list_in(&top->memory);
        if (grid->levels > 1)
            top->chosen.count = image->steps->shortlist(
                top->chosen.bounds, top->chosen.nodes, &top->left, roots->bounds, roots->nodes,
                roots->count, top->largest, SCP_BEAM, image->share[0]);
        fill(&top->chosen);
        s->dots = roots->count;
    }
    s->levels[0] = top->roots;
    s->largest[0] = top->largest;
    s->left[0] = top->left;
    s->chosen = top->chosen;
    s->products[0] = 1;
    s->leaf = s->known = 0;
}

/* The beams of all queries, level by level. */
static void dive(struct search *searches, size_t count) {
    const struct image *image = searches->image;
    const size_t last = image->grid.levels - 1, channels = image->grid.channels;
    for (size_t d = 1; d <= last; d++) {
        for (size_t q = 0; q < count; q++) {
            struct search *s = &searches[q];
            struct list *level = &s->levels[d];
            const struct list *from = &s->chosen;
            ask(s->query->vectors + d * channels, channels);
            *level = list_in(&s->memory[d]);
            level->count = (from->count + 3) / 4 * 16;
            s->largest[d] =
                image->steps->spread(level->bounds, level->nodes, from->bounds, from->nodes,
                                     from->count, &s->steps[d], image->level[d], channels);
            s->dots += 4 * from->count;
        }
        for (size_t q = 0; q < count && d < last; q++) {
            struct search *s = &searches[q];
            const struct list *level = &s->levels[d];
            s->chosen = list_in(&s->memory[0]);
            s->chosen.count = image->steps->shortlist(
                s->chosen.bounds, s->chosen.nodes, &s->left[d], level->bounds, level->nodes,
                level->count, s->largest[d], SCP_BEAM, image->share[d]);
            fill(&s->chosen);
        }
    }
    for (size_t q = 0; q < count; q++) {
        struct search *s = &searches[q];
        s->first =
            image->steps->find(s->levels[last].bounds, s->levels[last].count, s->largest[last]);
        if (s->levels[last].count) fetch(s);
    }
}

/* The beam's leaves, the one with the largest bound first. Of the others, those that reach its
 * value are bounded again by their ancestors' exact similarities, and few are left to be scored. */
static void arrive(struct search *s, struct list *chosen) {
    const struct image *image = s->image;
    const uint32_t last = (uint32_t)image->grid.levels - 1;
    const struct list *leaves = &s->levels[last];
    s->value = 0;
    s->place = UINT32_MAX;
    if (!leaves->count || !(leaves->bounds[s->first] > 0)) return;
    consider(s, leaves->nodes[s->first]);
    chosen->count =
        image->steps->filter(chosen->bounds, chosen->nodes, leaves->bounds, image->numbers,
                             leaves->count, s->value > 0 ? s->value : SCP_TINY);
    for (size_t i = 0; i < chosen->count; i++) {
        const size_t at = chosen->nodes[i]; /* in the list of leaves */
        if (at == s->first || !(chosen->bounds[i] >= s->value)) continue;
        if (last > 0) {
            follow(s, leaves->nodes[at], last - 1);
            if (!((double)s->products[last] * chosen->bounds[i] >=
                  (double)s->chosen.bounds[at / 4] * s->value * 0.999999))
                continue;
        }
        consider(s, leaves->nodes[at]);
    }
}

/* Appends the children of nodes of level d that reach `least` to a list. */
static void descend(struct search *s, struct list *below, size_t d, const struct list *from,
                    float least) {
    const struct image *image = s->image;
    if (!from->count) return;
    fill(from);
    below->count += image->steps->expand(below->bounds + below->count, below->nodes + below->count,
                                         from->bounds, from->nodes, from->count, &s->steps[d + 1],
                                         image->level[d + 1], image->grid.channels, least);
    s->dots += 4 * from->count;
}

/* Everything that the beam left and that reaches its value. */
static void walk(struct search *s, struct list *now, struct list *next, struct list *chosen) {
    const struct image *image = s->image;
    const size_t last = image->grid.levels - 1;
    const float least = s->value > 0 ? s->value : SCP_TINY; /* a bound of 0 is worth nothing */
    now->count = 0;
    for (size_t d = 0; d < last; d++) {
        const struct list *level = &s->levels[d];
        next->count = 0;
        if (s->left[d] >= least) {
            chosen->count = image->steps->filter(chosen->bounds, chosen->nodes, level->bounds,
                                                 level->nodes, level->count, least);
            descend(s, next, d, chosen, least);
        }
        descend(s, next, d, now, least); /* what the walk brought */
        struct list *swap = now;
        now = next;
        next = swap;
    }
    for (size_t i = 0; i < now->count; i++)
        if (now->bounds[i] >= s->value) consider(s, now->nodes[i]);
}

static void add_reached(float *reached, const struct search *s) {
    for (size_t d = 0; d + 1 < s->image->grid.levels; d++)
        if (s->largest[d] > 0) reached[d] += s->value / s->largest[d];
}

void scp_search_nearest(float *value, int32_t *index, uint64_t *dots, float *reached,
                        const struct image *image, const struct query *queries, size_t count,
                        void *memory) {
    const struct scp_grid *grid = &image->grid;
    struct search searches[GROUP];
    struct top tops[GROUP + 1]; /* one may be shared with the group before */
    struct list spare[3];
    size_t top = 0;
    for (size_t i = 0; i < GROUP + 1; i++) {
        tops[i].roots.bounds = memory;
        memory = tops[i].roots.bounds + list_room(grid, 0);
    }
    for (size_t i = 0; i < 3; i++)
        memory = carve(&spare[i], memory, list_room(grid, grid->levels - 1));
    for (size_t q = 0; q < count; q += GROUP) {
        const size_t n = count - q < GROUP ? count - q : GROUP;
        for (size_t i = 0; i < n; i++) {
            const int known = q + i > 0 && queries[q + i].head == queries[q + i - 1].head;
            if (!known) top = (top + 1) % (GROUP + 1);
            begin(&searches[i], image, &queries[q + i], &tops[top], known);
        }
        dive(searches, n);
        for (size_t i = 0; i < n; i++) {
            struct search *s = &searches[i];
            arrive(s, &spare[2]);
            walk(s, &spare[0], &spare[1], &spare[2]);
            if (reached) add_reached(reached, s);
            const int found = s->value > 0;
            value[s->query->number] = found ? s->value : 0;
            index[s->query->number] = found ? (int32_t)s->place : 0;
            *dots += s->dots;
        }
    }
}
