/* Bilinear mode, exact, by the same quadtree. A pixel inside one quadrant of a cell interpolates
 * between that cell and three neighbours, so the largest of those four bounds the level for every
 * pixel below the quadrant; the level of a node itself is bounded by its 3 x 3 neighbourhood.
 * The best cell of the nearest mode, found in a fraction of the time, gives a value to beat that
 * leaves little to visit. Similarities are kept in one map per level, filled on demand. */
#include "match.h"

#include "scp/alloc.h"

/* Interpolated values may exceed the largest neighbour by the rounding of four operations. */
#define ROUNDING 1.000001f

struct field { /* one level: c_d of this query, valid where stamps[cell] == stamp */
    size_t height, width;
    float *c;
    uint32_t *stamps;
    const float *features, *norms;
};

struct search {
    const struct image *image;
    const struct query *query;
    uint32_t stamp;
    uint64_t dots;
    struct field fields[SCP_MATCH_MAX_LEVELS];
    float best;
    int32_t place;
};

/* Similarities, stamps and the roots' bounds; the nearest search's scratch lies behind them. */
static size_t own_scratch(const struct scp_grid *grid) {
    const size_t cells = scp_grid_offset(grid, grid->levels), roots = scp_grid_cells(grid, 0);
    const size_t bytes = cells * (sizeof(float) + sizeof(uint32_t)) + roots * sizeof(float);
    return (bytes + SCP_ALIGNMENT - 1) / SCP_ALIGNMENT * SCP_ALIGNMENT;
}

size_t scp_bilinear_scratch(const struct scp_grid *grid) {
    return own_scratch(grid) + scp_search_scratch(grid);
}

static float at(struct search *s, size_t d, size_t y, size_t x) {
    struct field *f = &s->fields[d];
    const size_t cell = y * f->width + x, channels = s->image->grid.channels;
    if (f->stamps[cell] != s->stamp) {
        f->stamps[cell] = s->stamp;
        s->dots++;
        f->c[cell] = scp_similarity(s->image->kernels->dot(s->query->vectors + d * channels,
                                                           f->features + cell * channels, channels),
                                    s->query->norms[d], f->norms[cell], s->image->epsilon);
    }
    return f->c[cell];
}

static void fill(struct search *s, size_t d) {
    struct field *f = &s->fields[d];
    const size_t channels = s->image->grid.channels, cells = f->height * f->width;
    s->image->kernels->dots_block(f->c, cells, s->query->vectors + d * channels, 0, 1, f->features,
                                  cells, channels);
    s->image->kernels->combine(f->c, NULL, s->query->norms[d], f->norms, s->image->epsilon, cells);
    for (size_t i = 0; i < cells; i++) f->stamps[i] = s->stamp;
    s->dots += cells;
}

/* One axis of bilinear upsampling by 2^shift: neighbours lo, hi and the weight of hi. */
static void neighbours(size_t pixel, unsigned shift, size_t size, size_t *lo, size_t *hi,
                       float *weight) {
    float source = ((float)pixel + 0.5f) / (float)((size_t)1 << shift) - 0.5f; /* exact */
    if (source < 0) source = 0;
    *lo = (size_t)source;
    *hi = *lo + 1 < size ? *lo + 1 : size - 1;
    *weight = source - (float)*lo;
}

static float pixel_value(struct search *s, size_t y, size_t x) {
    const size_t levels = s->image->grid.levels;
    float product = 1;
    for (size_t d = 0; d < levels && product > 0; d++) {
        size_t y0, y1, x0, x1;
        float v, u;
        neighbours(y, (unsigned)(levels - d), s->fields[d].height, &y0, &y1, &v);
        neighbours(x, (unsigned)(levels - d), s->fields[d].width, &x0, &x1, &u);
        const float upper = (1 - u) * at(s, d, y0, x0) + u * at(s, d, y0, x1);
        const float lower = (1 - u) * at(s, d, y1, x0) + u * at(s, d, y1, x1);
        product *= (1 - v) * upper + v * lower;
    }
    return product;
}

static void consider(struct search *s, size_t y, size_t x) {
    const struct field *finest = &s->fields[s->image->grid.levels - 1];
    const float value = pixel_value(s, y, x);
    const int32_t place = (int32_t)(y * 2 * finest->width + x);
    if (value > s->best || (value == s->best && place < s->place)) {
        s->best = value;
        s->place = place;
    }
}

/* A value to beat: the best of the pixels in and around the best cell. */
static void start(struct search *s, void *scratch) {
    const struct field *finest = &s->fields[s->image->grid.levels - 1];
    float value;
    int32_t cell;
    scp_search_nearest(&value, &cell, &s->dots, s->image, s->query, scratch);
    const size_t y = 2 * ((size_t)cell / finest->width), x = 2 * ((size_t)cell % finest->width);
    for (size_t v = y ? y - 1 : 0; v < y + 3 && v < 2 * finest->height; v++)
        for (size_t u = x ? x - 1 : 0; u < x + 3 && u < 2 * finest->width; u++) consider(s, v, u);
}

/* The two neighbours along one axis of a pixel in the lower or upper half of a cell. */
static void half(size_t cell, int upper, size_t size, size_t *lo, size_t *hi) {
    *lo = upper || cell == 0 ? cell : cell - 1;
    *hi = upper && cell + 1 < size ? cell + 1 : cell;
}

static float quadrant_bound(struct search *s, size_t d, size_t y, size_t x, int child) {
    size_t y0, y1, x0, x1;
    half(y, child >> 1, s->fields[d].height, &y0, &y1);
    half(x, child & 1, s->fields[d].width, &x0, &x1);
    float c = at(s, d, y0, x0), other;
    c = (other = at(s, d, y0, x1)) > c ? other : c;
    c = (other = at(s, d, y1, x0)) > c ? other : c;
    c = (other = at(s, d, y1, x1)) > c ? other : c;
    return c * ROUNDING;
}

/* Everything below cell (y, x) of level d; base bounds the product of the levels above. Children
 * are visited in the order of their bounds, so that good values come early. */
static void descend(struct search *s, size_t d, size_t y, size_t x, float base) {
    const int leaf = d + 1 == s->image->grid.levels;
    float bounds[4];
    for (int child = 0; child < 4; child++)
        bounds[child] = base * quadrant_bound(s, d, y, x, child);
    for (int visit = 0; visit < 4; visit++) {
        int child = 0;
        for (int j = 1; j < 4; j++)
            if (bounds[j] > bounds[child]) child = j;
        const float bound = bounds[child];
        bounds[child] = -1;
        if (!(bound >= s->best) || bound <= 0) return;
        const size_t cy = 2 * y + (size_t)(child >> 1), cx = 2 * x + (size_t)(child & 1);
        if (!leaf) {
            descend(s, d + 1, cy, cx, bound);
            continue;
        }
        consider(s, cy, cx);
    }
}

void scp_search_bilinear(float *value, int32_t *index, uint64_t *dots, const struct image *image,
                         const struct query *query, void *scratch, uint32_t stamp, int dense) {
    const struct scp_grid *grid = &image->grid;
    const size_t cells = scp_grid_offset(grid, grid->levels), roots = scp_grid_cells(grid, 0);
    float *c = scratch, *root_bounds = c + cells;
    uint32_t *stamps = (uint32_t *)(root_bounds + roots);
    struct search s = {
        .image = image, .query = query, .stamp = stamp, .best = 0, .place = INT32_MAX};
    for (size_t d = 0; d < grid->levels; d++) {
        const size_t offset = scp_grid_offset(grid, d);
        s.fields[d] = (struct field){grid->height << d,
                                     grid->width << d,
                                     c + offset,
                                     stamps + offset,
                                     image->features + offset * grid->channels,
                                     image->norms + offset};
        if (dense || d == 0) fill(&s, d);
    }
    /* Roots in the order of their bounds would need a sort; the best one first is enough. */
    size_t first = 0;
    for (size_t r = 0; r < roots; r++) {
        float most = 0;
        for (int child = 0; child < 4; child++) {
            const float b = quadrant_bound(&s, 0, r / grid->width, r % grid->width, child);
            if (b > most) most = b;
        }
        root_bounds[r] = most;
        if (most > root_bounds[first]) first = r;
    }
    if (!dense) start(&s, (char *)scratch + own_scratch(grid));
    descend(&s, 0, first / grid->width, first % grid->width, 1);
    for (size_t r = 0; r < roots; r++)
        if (r != first && root_bounds[r] >= s.best && root_bounds[r] > 0)
            descend(&s, 0, r / grid->width, r % grid->width, 1);
    *dots += s.dots;
    *value = s.best;
    *index = s.best > 0 ? s.place : 0;
}
