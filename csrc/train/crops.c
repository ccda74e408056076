/* Crops of random place, size and ratio, resized to a square: what the networks of scp/active.h see
 * of an image. */
#include <math.h>

#include "../kernels/kernels.h"
#include "scp/active.h"
#include "scp/alloc.h"
#include "scp/random.h"

#define CROP_KEY 0x5343505f43524f50u
#define TRIES 10

struct crop {
    size_t left, top, width, height;
    int flip;
};

/* The largest crop in the middle whose ratio is at max `stretch`. */
static struct crop middle(const struct scp_pool *pool, double stretch) {
    const double width = (double)pool->width, height = (double)pool->height;
    struct crop c = {.width = pool->width, .height = pool->height};
    if (width < height / stretch) c.height = (size_t)fmax(1, rint(width * stretch));
    if (width > height * stretch) c.width = (size_t)fmax(1, rint(height * stretch));
    c.left = (pool->width - c.width) / 2, c.top = (pool->height - c.height) / 2;
    return c;
}

static struct crop draw(const struct scp_pool *pool, const struct scp_crop_options *o,
                        uint64_t seed, uint64_t stream) {
    const double area = (double)pool->width * (double)pool->height, max = log(o->stretch);
    struct scp_rng rng;
    struct crop c = {.width = 0};
    scp_rng_init(&rng, seed ^ CROP_KEY, stream);
    for (int i = 0; i < TRIES && !c.width; i++) {
        const double part = area * (o->smallest + (1 - o->smallest) * scp_rng_uniform(&rng));
        const double ratio = exp(max * (2 * scp_rng_uniform(&rng) - 1));
        const double width = rint(sqrt(part * ratio)), height = rint(sqrt(part / ratio));
        if (width < 1 || height < 1 || width > (double)pool->width || height > (double)pool->height)
            continue;
        c.width = (size_t)width, c.height = (size_t)height;
        c.left = scp_rng_below(&rng, (uint32_t)(pool->width - c.width + 1));
        c.top = scp_rng_below(&rng, (uint32_t)(pool->height - c.height + 1));
    }
    if (!c.width) c = middle(pool, o->stretch);
    c.flip = scp_rng_uniform(&rng) < o->flip;
    return c;
}

/* Pixel i of `to`, of `from` pixels that lie `step` floats apart: a triangle as wide as two pixels
 * of either, cut at the ends. */
static float resized(const float *pixels, size_t step, size_t from, size_t to, size_t i) {
    const float scale = (float)from / (float)to, wide = scale > 1 ? scale : 1;
    const float centre = ((float)i + 0.5f) * scale - 0.5f;
    const ptrdiff_t last = (ptrdiff_t)from - 1;
    ptrdiff_t low = (ptrdiff_t)ceilf(centre - wide), high = (ptrdiff_t)floorf(centre + wide);
    float sum = 0, weights = 0;
    low = low < 0 ? 0 : low, high = high > last ? last : high;
    for (ptrdiff_t k = low; k <= high; k++) {
        const float weight = 1 - fabsf((float)k - centre) / wide;
        if (!(weight > 0)) continue;
        sum += weight * pixels[(size_t)k * step];
        weights += weight;
    }
    return sum / weights;
}

struct work {
    const struct scp_crops *crops;
    float *lines; /* [items][height of the pool][size] */
    const struct scp_pool *pool;
    const struct scp_crop_options *options;
    uint64_t seed, first;
};

static enum scp_status make_view(void *context, size_t item, size_t worker) {
    const struct work *w = context;
    const size_t size = w->options->size, columns = w->pool->width, rows = w->pool->height;
    const struct crop c = draw(w->pool, w->options, w->seed, w->first + item);
    const float *image =
        w->pool->images + (w->crops->sources[item] * rows + c.top) * columns + c.left;
    float *lines = w->lines + item * rows * size;
    float *out = w->crops->views + item * size * size * w->crops->channels;
    (void)worker;
    for (size_t y = 0; y < c.height; y++)
        for (size_t x = 0; x < size; x++)
            lines[y * size + x] = resized(image + y * columns, 1, c.width, size, x);
    for (size_t y = 0; y < size; y++)
        for (size_t x = 0; x < size; x++) {
            const size_t from = c.flip ? size - 1 - x : x;
            const float value = 2 * resized(lines + from, size, c.height, size, y) - 1;
            for (size_t k = 0; k < w->crops->channels; k++) *out++ = value;
        }
    return SCP_OK;
}

enum scp_status scp_crops(const struct scp_crops *crops, const struct scp_pool *pool,
                          const struct scp_crop_options *options, uint64_t seed, uint64_t first,
                          const struct scp_control *control) {
    const size_t items = crops->items;
    size_t numbers;
    if (pool->count == 0 || pool->height == 0 || pool->width == 0 || pool->height > 1u << 15 ||
        pool->width > 1u << 15)
        return scp_invalid(control, "pool", SCP_SHAPE,
                           "must hold images of 1 to 32768 pixels a side");
    for (size_t i = 0; i < items; i++)
        if (crops->sources[i] >= pool->count)
            return scp_invalid(control, "sources", i, "must be a row of the pool");
    if (scp_size_mul(pool->height * options->size, items, &numbers)) return SCP_ENOMEM;
    float *lines = scp_alloc(numbers, sizeof *lines);
    struct work w = {crops, lines, pool, options, seed, first};
    if (!lines) return SCP_ENOMEM;
    const enum scp_status status = scp_parallel(items, make_view, &w, control);
    scp_free(lines);
    return status;
}
