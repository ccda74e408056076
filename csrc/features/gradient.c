/* Gradient-orientation descriptors, level by level: blocks of pixels are averaged, gradients
 * projected on evenly spaced directions, summed under tents at the corners of the cells; 4 x 4
 * corners make one descriptor. One task per image. */
#include "scp/gradient.h"

#include <math.h>
#include <string.h>

#include "scp/alloc.h"

#define CELL_PIXELS 4 /* a cell is seen at this resolution at most */
#define CORNERS 4     /* corners a side of a descriptor */

struct pyramid_job {
    float *features, *norms;
    const float *images;
    size_t height, width;
    struct scp_grid grid;
    size_t directions;
    const float *cosines, *sines; /* [directions] */
};

/* Averages blocks of f x f pixels. */
static void reduce(float *out, const float *in, size_t height, size_t width, size_t f) {
    const float scale = 1.0f / (float)(f * f);
    for (size_t y = 0; y < height / f; y++) {
        for (size_t x = 0; x < width / f; x++) {
            float sum = 0;
            for (size_t j = 0; j < f; j++)
                for (size_t i = 0; i < f; i++) sum += in[(y * f + j) * width + x * f + i];
            *out++ = sum * scale;
        }
    }
}

/* maps[directions][height][width]: positive part of the gradient along each direction. */
static void project(float *maps, const float *image, size_t height, size_t width,
                    const struct pyramid_job *w) {
    for (size_t y = 0; y < height; y++) {
        const float *row = image + y * width;
        const float *above = y ? row - width : row, *below = y + 1 < height ? row + width : row;
        for (size_t x = 0; x < width; x++) {
            const float gx = (row[x + 1 < width ? x + 1 : x] - row[x ? x - 1 : x]) * 0.5f;
            const float gy = (below[x] - above[x]) * 0.5f;
            for (size_t o = 0; o < w->directions; o++) {
                const float g = gx * w->cosines[o] + gy * w->sines[o];
                maps[(o * height + y) * width + x] = g > 0 ? g : 0;
            }
        }
    }
}

/* The tent over pixels k*r - r .. k*r + r - 1 - r, k a corner: weight of tap i of 2r. */
static void tent(float *weights, size_t r) {
    for (size_t i = 0; i < 2 * r; i++) {
        const float distance = fabsf((float)i + 0.5f - (float)r) / (float)r;
        weights[i] = (1 - distance) / (float)r;
    }
}

/* Sums under the tents along one axis: out[k * out_step] for corners k = 0 .. cells + 2, corner k
 * lying at the edge between cells k - 2 and k - 1; pixels outside count as zero. */
static void sum_tents(float *out, size_t out_step, const float *in, size_t in_step, size_t pixels,
                      size_t r, const float *weights) {
    const size_t count = pixels / r + CORNERS - 1;
    for (size_t k = 0; k < count; k++) {
        float sum = 0;
        for (size_t i = 0; i < 2 * r; i++) {
            const size_t p = k * r + i; /* pixel p - 2r */
            if (p >= 2 * r && p - 2 * r < pixels) sum += weights[i] * in[(p - 2 * r) * in_step];
        }
        out[k * out_step] = sum;
    }
}

/* The descriptor of one cell from its 4 x 4 corners, corners[y][x][direction]. */
static float describe(float *out, const float *corners, size_t corner_width, size_t directions,
                      size_t channels) {
    for (size_t j = 0; j < CORNERS; j++)
        memcpy(out + j * CORNERS * directions, corners + j * corner_width * directions,
               CORNERS * directions * sizeof *out);
    float sum = 0, squares = 0;
    for (size_t c = 0; c < channels; c++) sum += out[c];
    const float mean = sum / (float)channels;
    for (size_t c = 0; c < channels; c++) {
        out[c] -= mean;
        squares += out[c] * out[c];
    }
    const float norm = sqrtf(squares), scale = norm > 0 ? 1 / norm : 0;
    for (size_t c = 0; c < channels; c++) out[c] *= scale;
    return norm;
}

static enum scp_status describe_image(void *context, size_t task, size_t worker) {
    const struct pyramid_job *w = context;
    const size_t directions = w->directions, channels = w->grid.channels;
    const size_t cells = scp_grid_offset(&w->grid, w->grid.levels);
    const size_t pixels = w->height * w->width;
    const float *image = w->images + task * pixels;
    float *features = w->features + task * cells * channels, *norms = w->norms + task * cells;
    (void)worker;
    float check = 0;
    for (size_t i = 0; i < pixels; i++) check += image[i] * 0;
    if (!(check == 0)) return SCP_EINVAL;

    /* One slab: reduced image, direction maps, their sums along rows, and along both. */
    const size_t corner_pixels = (w->height + CORNERS) * (w->width + CORNERS);
    float *slab = scp_alloc(pixels + (pixels + 2 * corner_pixels) * directions, sizeof *slab);
    if (!slab) return SCP_ENOMEM;
    float *reduced = slab, *maps = reduced + pixels, *rows = maps + pixels * directions;
    float *corners = rows + corner_pixels * directions;

    for (size_t d = 0; d < w->grid.levels; d++) {
        const size_t stride = (size_t)1 << (w->grid.levels - d);
        const size_t f = stride > CELL_PIXELS ? stride / CELL_PIXELS : 1, r = stride / f;
        const size_t height = w->height / f, width = w->width / f;
        const size_t grid_height = height / r, grid_width = width / r;
        const size_t corner_width = grid_width + CORNERS - 1;
        const size_t corner_height = grid_height + CORNERS - 1;
        float weights[2 * CELL_PIXELS];
        tent(weights, r);
        reduce(reduced, image, w->height, w->width, f);
        project(maps, reduced, height, width, w);
        for (size_t o = 0; o < directions; o++) {
            for (size_t y = 0; y < height; y++)
                sum_tents(rows + y * corner_width, 1, maps + (o * height + y) * width, 1, width, r,
                          weights);
            for (size_t x = 0; x < corner_width; x++)
                sum_tents(corners + x * directions + o, corner_width * directions, rows + x,
                          corner_width, height, r, weights);
        }
        for (size_t i = 0; i < corner_height * corner_width * directions; i++)
            corners[i] = sqrtf(corners[i]);
        for (size_t y = 0; y < grid_height; y++) {
            for (size_t x = 0; x < grid_width; x++) {
                *norms++ = describe(features, corners + (y * corner_width + x) * directions,
                                    corner_width, directions, channels);
                features += channels;
            }
        }
    }
    scp_free(slab);
    return SCP_OK;
}

enum scp_status scp_gradient_pyramid(float *features, float *norms, const float *images,
                                     size_t n_images, const struct scp_grid *grid,
                                     const struct scp_control *control) {
    enum scp_status status = scp_grid_check(grid, control);
    if (status != SCP_OK) return status;
    struct pyramid_job w = {.features = features,
                            .norms = norms,
                            .images = images,
                            .height = grid->height << grid->levels,
                            .width = grid->width << grid->levels,
                            .grid = *grid,
                            .directions = grid->channels / 16};
    float *table = scp_alloc(2 * w.directions, sizeof *table);
    if (!table) return SCP_ENOMEM;
    for (size_t o = 0; o < w.directions; o++) {
        const double angle = 2 * 3.14159265358979323846 * (double)o / (double)w.directions;
        table[o] = (float)cos(angle);
        table[w.directions + o] = (float)sin(angle);
    }
    w.cosines = table;
    w.sines = table + w.directions;
    status = scp_parallel(n_images, describe_image, &w, control);
    if (status == SCP_EINVAL) scp_invalid(control, "images", SCP_WHOLE, "must be finite");
    scp_free(table);
    return status;
}
