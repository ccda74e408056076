/* Bilinear mode, exact: Eq. 1 and Eq. 2 (Eq. 7 and Eq. 8 for key points) over the pixels of the
 * image, by branch and bound in the same quadtree. Inside one quadrant of a cell a level is
 * bilinear: it interpolates between that cell and three neighbours. So in any square of pixels
 * there it is largest in a corner, and the product over levels of these values bounds the square.
 * The best cell of the nearest mode, found in a fraction of the time, gives an incumbent that
 * leaves little to visit. Similarities are kept in one map per level, filled on demand. */
#include "bilinear.h"

#include "scp/alloc.h"
#include "search.h"

/* Interpolated values, and products of them, may exceed the corners' by the rounding of a few
 * operations: less than 11 times 2^-24 a level. */
#define ROUNDING 1.000001f

struct level_map { /* c_d of this query at one level, valid where stamps[cell] == stamp */
    size_t height, width;
    float *c;
    uint32_t *stamps;
    const float *features, *norms;
};

struct bilinear_search {
    const struct image *image;
    const struct query *query;
    uint32_t stamp;
    uint64_t dots;
    struct level_map maps[SCP_MATCH_MAX_LEVELS];
    float best_value; /* the incumbent */
    int32_t best_pixel;
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

static float similarity_at(struct bilinear_search *s, size_t d, size_t y, size_t x) {
    struct level_map *f = &s->maps[d];
    const size_t cell = y * f->width + x, channels = s->image->grid.channels;
    if (f->stamps[cell] != s->stamp) {
        f->stamps[cell] = s->stamp;
        s->dots++;
        f->c[cell] =
            scp_similarity(s->image->kernels->dots.one(s->query->vectors + d * channels,
                                                       f->features + cell * channels, channels),
                           s->query->norms[d], f->norms[cell], s->image->epsilon);
    }
    return f->c[cell];
}

static void fill_level(struct bilinear_search *s, size_t d) {
    struct level_map *f = &s->maps[d];
    const size_t channels = s->image->grid.channels, cells = f->height * f->width;
    s->image->kernels->dots.block(f->c, cells, s->query->vectors + d * channels, 0, 1, f->features,
                                  cells, channels);
    s->image->kernels->dots.combine(f->c, NULL, s->query->norms[d], f->norms, s->image->epsilon,
                                    cells);
    for (size_t i = 0; i < cells; i++) f->stamps[i] = s->stamp;
    s->dots += cells;
}

/* One axis of bilinear upsampling by 2^shift at a pixel: neighbours lo and hi, the weight of hi,
 * and how much it grows with the next pixel between the same neighbours. All of it is exact. */
struct axis {
    size_t lo, hi;
    float weight, slope;
};

static struct axis axis_at(size_t pixel, unsigned shift, size_t size) {
    const float slope = (float)(1u << (31 - shift)) * 0x1p-31f;
    const float source = ((float)pixel + 0.5f) * slope - 0.5f;
    if (source < 0) return (struct axis){0, size > 1, 0, 0};
    const size_t lo = (size_t)source;
    return (struct axis){lo, lo + 1 < size ? lo + 1 : lo, source - (float)lo, slope};
}

static float pixel_value(struct bilinear_search *s, size_t y, size_t x) {
    const size_t levels = s->image->grid.levels;
    float product = 1;
    for (size_t d = 0; d < levels && product > 0; d++) {
        const struct axis v = axis_at(y, (unsigned)(levels - d), s->maps[d].height);
        const struct axis u = axis_at(x, (unsigned)(levels - d), s->maps[d].width);
        const float left = 1 - u.weight;
        const float upper =
            left * similarity_at(s, d, v.lo, u.lo) + u.weight * similarity_at(s, d, v.lo, u.hi);
        const float lower =
            left * similarity_at(s, d, v.hi, u.lo) + u.weight * similarity_at(s, d, v.hi, u.hi);
        product *= (1 - v.weight) * upper + v.weight * lower;
    }
    return product;
}

static void score_pixel(struct bilinear_search *s, size_t y, size_t x) {
    const struct level_map *finest = &s->maps[s->image->grid.levels - 1];
    const float value = pixel_value(s, y, x);
    const int32_t pixel = (int32_t)(y * 2 * finest->width + x);
    if (value > s->best_value || (value == s->best_value && pixel < s->best_pixel)) {
        s->best_value = value;
        s->best_pixel = pixel;
    }
}

/* The first incumbent: the best of the pixels in and around the best cell of the nearest mode. */
static void find_incumbent(struct bilinear_search *s, void *scratch) {
    const struct level_map *finest = &s->maps[s->image->grid.levels - 1];
    float value;
    int32_t cell;
    struct query query = *s->query;
    query.number = 0; /* the answers' only one */
    scp_search_nearest(&value, &cell, &s->dots, NULL, s->image, &query, 1, scratch);
    const size_t y = 2 * ((size_t)cell / finest->width), x = 2 * ((size_t)cell % finest->width);
    for (size_t v = y ? y - 1 : 0; v < y + 3 && v < 2 * finest->height; v++)
        for (size_t u = x ? x - 1 : 0; u < x + 3 && u < 2 * finest->width; u++)
            score_pixel(s, v, u);
}

/* Of a square of 2 side x 2 side pixels at (y, x), no larger than a cell of level d: the largest
 * value of that level in each quarter. A quarter lies inside one quadrant of a cell, where the
 * level is bilinear, so it is largest in a corner. */
static void quarter_maxima(float maxima[4], struct bilinear_search *s, size_t d, size_t y, size_t x,
                           size_t side) {
    const unsigned shift = (unsigned)(s->image->grid.levels - d);
    const struct level_map *f = &s->maps[d];
    const struct axis rows[2] = {axis_at(y, shift, f->height), axis_at(y + side, shift, f->height)};
    const struct axis columns[2] = {axis_at(x, shift, f->width),
                                    axis_at(x + side, shift, f->width)};
    const int one = rows[0].lo == rows[1].lo && columns[0].lo == columns[1].lo; /* quadrant */
    float cells[4][4], vs[2][4], us[2][4], top[4] = {0, 0, 0, 0};               /* [...][quarter] */
    for (int q = 0; q < 4; q++) {
        const struct axis *v = &rows[q >> 1], *u = &columns[q & 1];
        vs[0][q] = v->weight, vs[1][q] = v->weight + (float)(side - 1) * v->slope;
        us[0][q] = u->weight, us[1][q] = u->weight + (float)(side - 1) * u->slope;
        if (q && one) {
            for (int n = 0; n < 4; n++) cells[n][q] = cells[n][0];
            continue;
        }
        cells[0][q] = similarity_at(s, d, v->lo, u->lo);
        cells[1][q] = similarity_at(s, d, v->lo, u->hi);
        cells[2][q] = similarity_at(s, d, v->hi, u->lo);
        cells[3][q] = similarity_at(s, d, v->hi, u->hi);
    }
    for (int j = 0; j < 2; j++) {
        for (int i = 0; i < 2; i++) {
            for (int q = 0; q < 4; q++) {
                const float u1 = us[j][q], v1 = vs[i][q];
                const float upper = (1 - u1) * cells[0][q] + u1 * cells[1][q];
                const float lower = (1 - u1) * cells[2][q] + u1 * cells[3][q];
                const float corner = (1 - v1) * upper + v1 * lower;
                top[q] = corner > top[q] ? corner : top[q];
            }
        }
    }
    for (int q = 0; q < 4; q++) maxima[q] = top[q] * ROUNDING;
}

/* Everything below cell (y, x) of level d; base bounds the product of the levels above. What can
 * reach the incumbent with this base is bounded again by the levels' values in it alone. Children
 * are visited in the order of their bounds, so that good values come early. */
static void branch(struct bilinear_search *s, size_t d, size_t y, size_t x, float base) {
    const size_t levels = s->image->grid.levels, side = (size_t)1 << (levels - d - 1);
    const int leaf = d + 1 == levels;
    float bounds[4], more[4], above[4] = {1, 1, 1, 1};
    quarter_maxima(bounds, s, d, 2 * y * side, 2 * x * side, side);
    int any = 0;
    for (int child = 0; child < 4; child++)
        any |= base * bounds[child] >= s->best_value && base * bounds[child] > 0;
    if (!any) return;
    for (size_t k = 0; k < d && !leaf; k++) {
        quarter_maxima(more, s, k, 2 * y * side, 2 * x * side, side);
        for (int child = 0; child < 4; child++) above[child] *= more[child];
    }
    for (int child = 0; child < 4; child++) bounds[child] *= leaf ? base : above[child];
    for (int visit = 0; visit < 4; visit++) {
        int child = 0;
        for (int j = 1; j < 4; j++)
            if (bounds[j] > bounds[child]) child = j;
        const float bound = bounds[child];
        bounds[child] = -1;
        if (!(bound >= s->best_value) || bound <= 0) return;
        const size_t cy = 2 * y + (size_t)(child >> 1), cx = 2 * x + (size_t)(child & 1);
        if (leaf)
            score_pixel(s, cy, cx);
        else
            branch(s, d + 1, cy, cx, bound);
    }
}

void scp_search_bilinear(float *value, int32_t *index, uint64_t *dots, const struct image *image,
                         const struct query *query, void *scratch, uint32_t stamp, int dense) {
    const struct scp_grid *grid = &image->grid;
    const size_t cells = scp_grid_offset(grid, grid->levels), roots = scp_grid_cells(grid, 0);
    float *c = scratch, *root_bounds = c + cells;
    uint32_t *stamps = (uint32_t *)(root_bounds + roots);
    struct bilinear_search s = {
        .image = image, .query = query, .stamp = stamp, .best_value = 0, .best_pixel = INT32_MAX};
    for (size_t d = 0; d < grid->levels; d++) {
        const size_t offset = scp_grid_offset(grid, d);
        s.maps[d] = (struct level_map){grid->height << d,
                                       grid->width << d,
                                       c + offset,
                                       stamps + offset,
                                       image->features + offset * grid->channels,
                                       image->norms + offset};
        if (dense || d == 0) fill_level(&s, d);
    }
    /* Roots in the order of their bounds would need a sort; the best one first is enough. */
    const size_t side = (size_t)1 << (grid->levels - 1);
    size_t first = 0;
    for (size_t r = 0; r < roots; r++) {
        float root_bound = 0, bounds[4];
        quarter_maxima(bounds, &s, 0, r / grid->width * 2 * side, r % grid->width * 2 * side, side);
        for (int child = 0; child < 4; child++)
            root_bound = bounds[child] > root_bound ? bounds[child] : root_bound;
        root_bounds[r] = root_bound;
        if (root_bound > root_bounds[first]) first = r;
    }
    if (!dense) find_incumbent(&s, (char *)scratch + own_scratch(grid));
    branch(&s, 0, first / grid->width, first % grid->width, 1);
    for (size_t r = 0; r < roots; r++)
        if (r != first && root_bounds[r] >= s.best_value && root_bounds[r] > 0)
            branch(&s, 0, r / grid->width, r % grid->width, 1);
    *dots += s.dots;
    *value = s.best_value;
    *index = s.best_value > 0 ? s.best_pixel : 0;
}
