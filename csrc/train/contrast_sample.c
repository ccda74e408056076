/* The views of a step of the training of features, and pairs of points that show the same place. */
#include <math.h>

#include "scp/alloc.h"
#include "scp/contrast.h"
#include "view.h"

/* Key spaces: sampling never shares a stream with dropout or initial weights of the same seed. */
#define VIEW_KEY 0x5343505f56494557u
#define PASS_KEY 0x5343505f50415353u
#define STREAMS 8 /* of an item: 0 place and points, 2 image and 3 its noise, 4 crop and 5 */

#define POINT_TRIES 64

size_t scp_crop_side(const struct scp_contrast_options *options, size_t height, size_t width,
                     size_t levels) {
    const size_t unit = (size_t)1 << levels, side = height < width ? height : width;
    return (size_t)(options->crop * (double)side + 1e-6) / unit * unit;
}

size_t scp_contrast_levels(const struct scp_contrast_options *options, size_t outputs) {
    const int all = options->objective == SCP_OBJECTIVE_INFONCE_LEVELS ||
                    options->objective == SCP_OBJECTIVE_BYOL_LEVELS;
    return all || outputs == 0 ? outputs : 1;
}

/* Pixels at every border of the crop without points. */
static size_t margin_of(const struct scp_contrast_options *options, size_t side) {
    return (size_t)((double)(float)options->point_margin * (double)side);
}

enum scp_status scp_contrast_check(const struct scp_contrast_options *o,
                                   const struct scp_pool *pool, size_t side,
                                   const struct scp_control *control) {
    size_t pixels, numbers;
    const enum scp_status status = scp_options_check(&scp_contrast_table, o, control);
    if (status != SCP_OK) return status;
    if (pool->count == 0 || pool->count > UINT32_MAX || pool->height == 0 || pool->width == 0 ||
        pool->height > 1u << 15 || pool->width > 1u << 15)
        return scp_invalid(control, "pool", SCP_SHAPE,
                           "must hold images of 1 to 32768 pixels a side");
    if (side == 0)
        return scp_invalid(control, "crop", SCP_WHOLE,
                           "must be at least 2^levels pixels of the image");
    if (side > pool->height || side > pool->width)
        return scp_invalid(control, "crop", SCP_WHOLE, "must give a part of the image");
    if (2 * margin_of(o, side) >= side)
        return scp_invalid(control, "point_margin", SCP_WHOLE, "must leave room for points");
    if (scp_size_mul(pool->height, pool->width, &pixels) ||
        scp_size_mul(pixels, pool->count, &numbers) || scp_size_mul(numbers, 4, &numbers) ||
        scp_size_mul(pixels, o->batch, &numbers) || scp_size_mul(numbers, 16, &numbers) ||
        scp_size_mul(o->batch, o->points, &numbers) || scp_size_mul(numbers, 16, &numbers))
        return SCP_ENOMEM;
    return SCP_OK;
}

void shuffled_passes(uint32_t *sources, uint32_t *order, size_t count, size_t batch, uint64_t seed,
                     uint64_t step) {
    uint64_t shuffled = UINT64_MAX;
    for (size_t b = 0; b < batch; b++) {
        const uint64_t item = step * batch + b, pass = item / count;
        if (pass != shuffled) { /* Fisher and Yates */
            struct scp_rng rng;
            scp_rng_init(&rng, seed ^ PASS_KEY, pass);
            for (size_t i = 0; i < count; i++) order[i] = (uint32_t)i;
            for (size_t i = count; i > 1; i--) {
                const uint32_t j = scp_rng_below(&rng, (uint32_t)i), last = order[i - 1];
                order[i - 1] = order[j];
                order[j] = last;
            }
            shuffled = pass;
        }
        sources[b] = order[item % count];
    }
}

struct work {
    struct scp_batch *batch;
    const struct scp_pool *pool;
    const struct scp_contrast_options *options;
    uint64_t step;
};

static int within(const double p[2], size_t width, size_t height) {
    return p[0] >= -0.5 && p[0] < (double)width - 0.5 && p[1] >= -0.5 &&
           p[1] < (double)height - 0.5;
}

/* Pairs: a pixel of the crop view -> the image -> the image view. */
static void pairs(const struct work *w, size_t item, struct scp_rng *rng, const struct view *image,
                  const struct view *crop) {
    const struct scp_batch *batch = w->batch;
    const struct scp_pool *pool = w->pool;
    const size_t margin = margin_of(w->options, batch->side), room = batch->side - 2 * margin;
    for (size_t k = item * batch->points; k < (item + 1) * batch->points; k++) {
        int32_t *c = batch->crop_points + 2 * k;
        float *p = batch->image_points + 2 * k;
        c[0] = c[1] = -1;
        p[0] = p[1] = -1;
        for (int attempt = 0; attempt < POINT_TRIES; attempt++) {
            const size_t x = margin + scp_rng_below(rng, (uint32_t)room);
            const size_t y = margin + scp_rng_below(rng, (uint32_t)room);
            double source[2], place[2];
            view_source(source, crop, (double)x, (double)y);
            if (!within(source, pool->width, pool->height)) continue;
            if (view_inverse(place, image, source[0], source[1])) continue;
            if (!within(place, image->width, image->height)) continue;
            c[0] = (int32_t)x;
            c[1] = (int32_t)y;
            p[0] = (float)place[0];
            p[1] = (float)place[1];
            break;
        }
    }
}

/* Task 2 i: the image view of item i; 2 i + 1: its crop view and the pairs. */
static enum scp_status sample_view(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const struct scp_view_options *o = &w->options->view;
    const struct scp_pool *pool = w->pool;
    const size_t item = task / 2, channels = w->batch->channels, side = w->batch->side;
    const int kind = task % 2 ? SCP_VIEW_CROP : SCP_VIEW_IMAGE;
    const uint64_t seed = w->options->train.seed ^ VIEW_KEY;
    const uint64_t stream = (w->step * w->batch->items + item) * STREAMS;
    const float *source = pool->images + w->batch->sources[item] * pool->height * pool->width;
    struct view views[SCP_VIEWS];
    struct scp_rng rng;
    (void)worker;

    scp_rng_init(&rng, seed, stream);
    const uint32_t left = scp_rng_below(&rng, (uint32_t)(pool->width - side) + 1);
    const uint32_t top = scp_rng_below(&rng, (uint32_t)(pool->height - side) + 1);
    view_draw(&views[SCP_VIEW_IMAGE], o->strength[SCP_VIEW_IMAGE], pool->width, pool->height, 0, 0,
              seed, stream + 2);
    view_draw(&views[SCP_VIEW_CROP], o->strength[SCP_VIEW_CROP], side, side, left, top, seed,
              stream + 4);
    const struct view *view = &views[kind];
    const size_t pixels = view->width * view->height;
    float *out = kind == SCP_VIEW_CROP ? w->batch->crops : w->batch->images;
    out += item * pixels * channels;

    float *scratch = scp_alloc(2 * pixels + 2 * view->width, sizeof *scratch);
    if (!scratch) return SCP_ENOMEM;
    float *plane = channels == 1 ? out : scratch + pixels + 2 * view->width;
    view_warp(plane, scratch, view, source, pool->height, pool->width,
              o->interpolation == SCP_INTERPOLATION_CUBIC, o->border == SCP_BORDER_REPLICATE);
    view_photo(plane, scratch, view);
    if (channels > 1)
        for (size_t i = 0; i < pixels; i++)
            for (size_t c = 0; c < channels; c++) out[i * channels + c] = plane[i];
    scp_free(scratch);
    if (kind == SCP_VIEW_CROP) pairs(w, item, &rng, &views[SCP_VIEW_IMAGE], &views[SCP_VIEW_CROP]);
    return SCP_OK;
}

enum scp_status scp_contrast_sample(struct scp_batch *batch, const struct scp_pool *pool,
                                    const struct scp_contrast_options *options, uint64_t step,
                                    const struct scp_control *control) {
    enum scp_status status = scp_contrast_check(options, pool, batch->side, control);
    if (status != SCP_OK) return status;
    uint32_t *order = scp_alloc(pool->count, sizeof *order);
    if (!order) return SCP_ENOMEM;
    shuffled_passes(batch->sources, order, pool->count, batch->items, options->train.seed, step);
    scp_free(order);
    struct work work = {batch, pool, options, step};
    return scp_parallel(2 * batch->items, sample_view, &work, control);
}
