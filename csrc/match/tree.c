/* The quantised quadtree: what makes an upper bound cost a few cycles.
 *
 * A cell's vector is first shrunk by h = n / (n + epsilon), n = its norm times the largest query
 * norm: the factor of any query is at most that, so a bound needs no norms. Then it becomes 8-bit
 * integers, as does the query q: with what is left of them, q - Q and t - T,
 *     <q, t> = <Q, T> + <q - Q, T> + <q, t - T> <= <Q, T> + |q - Q| |T| + |t - T|,
 * and <Q, T> is an exact integer times a scale on every instruction set. */
#include "match.h"

#include <math.h>
#include <string.h>

#include "scp/alloc.h"

#define CHUNK 16 /* nodes of level 0 per task */

/* By level: the largest square of what quantising took. */
typedef float rests[SCP_MATCH_MAX_LEVELS];

static size_t tasks(const struct scp_grid *grid) {
    return (scp_grid_cells(grid, 0) + CHUNK - 1) / CHUNK;
}

size_t scp_tree_roots(const struct scp_grid *grid) {
    return (scp_grid_cells(grid, 0) + 15) / 16 * 16;
}

size_t scp_tree_offset(const struct scp_grid *grid, size_t level) {
    return scp_grid_offset(grid, level) +
           (level ? scp_tree_roots(grid) - scp_grid_cells(grid, 0) : 0);
}

static size_t numbers(const struct scp_grid *grid) {
    const size_t roots = scp_tree_roots(grid);
    return roots > SCP_BEAM_ROOM ? roots : SCP_BEAM_ROOM;
}

size_t scp_tree_bytes(const struct scp_grid *grid) {
    return scp_tree_offset(grid, grid->levels) * grid->channels + numbers(grid) * sizeof(uint32_t) +
           tasks(grid) * sizeof(rests);
}

/* 127 units are the largest component of a level; of the finest, which is most of the image and
 * would have to be read once more, 1. */
static void choose_units(struct image *image) {
    const size_t channels = image->grid.channels;
    for (size_t d = 0; d < image->grid.levels; d++) {
        float peak = 1;
        if (d + 1 < image->grid.levels)
            peak = image->steps->peak(image->features + image->offset[d] * channels,
                                      scp_grid_cells(&image->grid, d) * channels);
        image->units[d] = 127 / (peak > 1e-3f && peak < 1 ? peak : 1);
    }
}

struct build {
    struct image *image;
    const float *largest;
    rests *rest; /* [tasks] */
};

static enum scp_status build_task(void *context, size_t task, size_t worker) {
    const struct build *build = context;
    struct image *image = build->image;
    const struct scp_grid *grid = &image->grid;
    const size_t channels = grid->channels, roots = grid->height * grid->width;
    const size_t first = task * CHUNK, last = first + CHUNK < roots ? first + CHUNK : roots;
    uint8_t quantised[SCP_MATCH_MAX_CHANNELS];
    (void)worker;
    for (size_t d = 0; d < grid->levels; d++) {
        const size_t offset = scp_grid_offset(grid, d), width = grid->width << d;
        const size_t group = d ? 4 : 16; /* cells that lie together */
        uint8_t *const level = image->tree + scp_tree_offset(grid, d) * channels;
        float most = 0;
        for (size_t node = first << 2 * d; node < last << 2 * d; node++) {
            uint32_t y, x;
            scp_tree_place(&y, &x, grid, (uint32_t)d, (uint32_t)node);
            const size_t cell = offset + y * width + x;
            const float norm = image->norms[cell], n = norm * build->largest[d];
            if (!(norm >= 0 && norm < INFINITY)) return SCP_EINVAL;
            const float factor = n < INFINITY ? n / (n + image->epsilon) : 1; /* n may overflow */
            const float scale = n > 0 ? image->units[d] * factor : 0;
            const float *from = image->features + cell * channels;
            float sums[2];
            image->steps->quantise(quantised, sums, from, scale, channels);
            if (!(sums[1] <= SCP_UNIT_LIMIT)) return SCP_EINVAL;
            most = sums[0] > most ? sums[0] : most;
            uint8_t *to = level + node / group * group * channels + node % group * 4;
            for (size_t c = 0; c < channels; c += 4) memcpy(to + c * group, quantised + c, 4);
        }
        build->rest[task][d] = most;
    }
    return SCP_OK;
}

enum scp_status scp_tree_build(struct image *image, const float *largest,
                               const struct scp_control *control) {
    const struct scp_grid *grid = &image->grid;
    const size_t n = tasks(grid);
    struct build build = {image, largest, scp_calloc(n, sizeof *build.rest)};
    enum scp_status status = SCP_ENOMEM;
    image->tree = scp_alloc(scp_tree_offset(grid, grid->levels), grid->channels);
    image->numbers = scp_alloc(numbers(grid), sizeof(uint32_t));
    if (!image->tree || !image->numbers || !build.rest) goto end;
    memset(image->tree, 128, scp_tree_roots(grid) * grid->channels); /* what fills the last group */
    for (size_t i = 0; i < numbers(grid); i++) image->numbers[i] = (uint32_t)i;
    for (size_t d = 0; d < grid->levels; d++) {
        image->offset[d] = (uint32_t)scp_grid_offset(grid, d);
        image->level[d] = image->tree + scp_tree_offset(grid, d) * grid->channels;
    }
    choose_units(image);
    status = scp_parallel(n, build_task, &build, control);
    for (size_t d = 0; d < grid->levels; d++) {
        float most = 0;
        for (size_t t = 0; t < n; t++) most = build.rest[t][d] > most ? build.rest[t][d] : most;
        image->rest[d] = sqrtf(most) * 1.0001f / image->units[d];
    }
end:
    scp_free(build.rest);
    return status;
}

void scp_tree_query(struct scp_tree_query *out, const struct image *image,
                    const struct query *query, size_t level) {
    const size_t channels = image->grid.channels;
    const struct scale *scale = &query->scales[level];
    const float rest = image->rest[level];
    out->vector = query->quantised + level * channels;
    out->sum = scale->sum;
    out->scale = scale->step / image->units[level];
    /* the float32 rounding of the exact value (C terms, and lengths that are 1 within 5e-4 at
     * most) and of the bound */
    out->slack = scale->rest * (1.001f + rest) + 1.001f * rest + 4e-7f * (float)channels;
}

void scp_tree_free(struct image *image) {
    scp_free(image->tree);
    scp_free(image->numbers);
}
