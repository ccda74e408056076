/* What a step of the training of features is: two views of every image of a batch, the network on
 * both, the objective at every level. */
#include "scp/contrast.h"

#include "../nn/graph.h"
#include "scp/alloc.h"

struct contrast {
    struct scp_pool pool;
    struct scp_contrast_options options;
    struct scp_plan *plan[SCP_VIEWS];
    struct scp_output outputs[SCP_VIEWS][SCP_MAX_LEVELS];
    struct scp_batch batch;
    size_t levels;
};

static void release(void *self) {
    struct contrast *c = self;
    if (!c) return;
    for (int view = 0; view < SCP_VIEWS; view++) scp_plan_free(c->plan[view]);
    scp_free(c->batch.images);
    scp_free(c->batch.crops);
    scp_free(c->batch.crop_points);
    scp_free(c->batch.image_points);
    scp_free(c->batch.sources);
    scp_free(c);
}

static enum scp_status forward(void *self, size_t phase, double *losses,
                               const struct scp_values *models, uint64_t step,
                               const struct scp_control *control) {
    struct contrast *c = self;
    const float *views[SCP_VIEWS] = {c->batch.images, c->batch.crops};
    (void)phase;
    enum scp_status status = scp_contrast_sample(&c->batch, &c->pool, &c->options, step, control);
    for (int view = 0; status == SCP_OK && view < SCP_VIEWS; view++)
        status =
            scp_plan_forward(c->plan[view], models->parameters, models->state, views[view],
                             c->options.train.seed, step * SCP_VIEWS + (uint64_t)view, control);
    if (status != SCP_OK) return status;
    return scp_contrast_objective(losses, c->outputs[SCP_VIEW_IMAGE], c->outputs[SCP_VIEW_CROP],
                                  c->levels, &c->batch, &c->options, control);
}

static enum scp_status backward(void *self, size_t phase, const struct scp_values *models,
                                const struct scp_control *control) {
    struct contrast *c = self;
    enum scp_status status = SCP_OK;
    (void)phase;
    for (int view = 0; status == SCP_OK && view < SCP_VIEWS; view++)
        status =
            scp_plan_backward(c->plan[view], models->gradients, NULL, models->parameters, control);
    return status;
}

/* ---- making one ---- */

/* What sampling, the objective and the optimiser hold for a moment, at most: cells are not more
 * than pixels. */
static size_t scratch(const struct scp_graph *graph, const struct scp_pool *pool, size_t batch) {
    size_t channels = 0;
    for (size_t i = 0; i < graph->count; i++)
        if (graph->layers[i].output && graph->channels[i] > channels) channels = graph->channels[i];
    const size_t per_thread = 5 * pool->height * pool->width + 2 * (channels + 16);
    const size_t sums = SCP_MAX_LEVELS * batch + scp_graph_parameters(graph) / 1024;
    return scp_threads() * (per_thread + 2 * pool->width) * sizeof(float) + sums * sizeof(double);
}

static void size_batch(struct scp_batch *batch, const struct scp_graph *graph,
                       const struct scp_pool *pool, const struct scp_contrast_options *o,
                       size_t levels) {
    *batch = (struct scp_batch){.items = o->batch,
                                .height = pool->height,
                                .width = pool->width,
                                .channels = graph->channels[0],
                                .side = scp_crop_side(o, pool->height, pool->width, levels),
                                .points = o->points};
}

static size_t batch_bytes(const struct scp_batch *b) {
    const size_t pixels = b->height * b->width + b->side * b->side;
    return b->items * (pixels * b->channels * sizeof(float) +
                       b->points * 2 * (sizeof(int32_t) + sizeof(float)) + sizeof(uint32_t));
}

static enum scp_status make_batch(struct scp_batch *b) {
    b->images = scp_alloc(b->items * b->height * b->width * b->channels, sizeof(float));
    b->crops = scp_alloc(b->items * b->side * b->side * b->channels, sizeof(float));
    b->crop_points = scp_alloc(b->items * b->points, 2 * sizeof(int32_t));
    b->image_points = scp_alloc(b->items * b->points, 2 * sizeof(float));
    b->sources = scp_alloc(b->items, sizeof(uint32_t));
    return b->images && b->crops && b->crop_points && b->image_points && b->sources ? SCP_OK
                                                                                    : SCP_ENOMEM;
}

static enum scp_status check(const struct scp_graph *graph, const struct scp_pool *pool,
                             const struct scp_contrast_options *o,
                             const struct scp_control *control) {
    const size_t levels = scp_graph_outputs(graph), channels = graph->channels[0];
    if (levels < 1 || levels > SCP_MAX_LEVELS)
        return scp_invalid(control, "graph", SCP_WHOLE, "must have 1 to 8 outputs");
    if (channels != 1 && channels != 3)
        return scp_invalid(control, "graph", SCP_WHOLE, "must have 1 or 3 input channels");
    if (o->level_weights.count != 0 && o->level_weights.count != levels)
        return scp_invalid(control, "level_weights", SCP_WHOLE, "must be one number per level");
    return scp_contrast_check(o, pool, scp_crop_side(o, pool->height, pool->width, levels),
                              control);
}

/* Plans of both views and their outputs; adds their memory to *bytes. */
static enum scp_status make_plans(struct contrast *c, size_t *bytes, const struct scp_graph *graph,
                                  enum scp_making making, const struct scp_control *control) {
    for (int view = 0; view < SCP_VIEWS; view++) {
        const size_t height = view == SCP_VIEW_CROP ? c->batch.side : c->batch.height;
        const size_t width = view == SCP_VIEW_CROP ? c->batch.side : c->batch.width;
        size_t plan = 0, bad = 0;
        const enum scp_status status =
            scp_plan_create(making == SCP_MAKE ? &c->plan[view] : NULL, &plan, &bad, graph,
                            c->batch.items, height, width, SCP_PLAN_TRAIN);
        if (status == SCP_EINVAL)
            return scp_invalid(control, "layer", bad,
                               view == SCP_VIEW_CROP ? "does not fit the size of the crop"
                                                     : "does not fit the size of the images");
        if (status != SCP_OK) return status;
        *bytes += plan;
    }
    for (size_t d = 0; making == SCP_MAKE && d < c->levels; d++) {
        for (int view = 0; view < SCP_VIEWS; view++)
            scp_plan_output(&c->outputs[view][d], c->plan[view], d);
        if (d > 0 && c->outputs[0][d].height < c->outputs[0][d - 1].height)
            return scp_invalid(control, "graph", SCP_WHOLE, "must have its coarsest output first");
    }
    return SCP_OK;
}

enum scp_status scp_contrast_training(struct scp_training *training, const struct scp_graph *graph,
                                      const struct scp_pool *pool,
                                      const struct scp_contrast_options *options,
                                      enum scp_making making, const struct scp_control *control) {
    const size_t levels = scp_graph_outputs(graph);
    enum scp_status status = check(graph, pool, options, control);
    if (status != SCP_OK) return status;
    struct contrast *c = scp_calloc(1, sizeof *c);
    if (!c) return SCP_ENOMEM;
    *c = (struct contrast){.pool = *pool, .options = *options, .levels = levels};
    size_batch(&c->batch, graph, pool, options, levels);
    *training = (struct scp_training){.losses = levels,
                                      .bytes = sizeof *c + batch_bytes(&c->batch) +
                                               pool->count * sizeof(uint32_t) +
                                               scratch(graph, pool, options->batch),
                                      .forward = forward,
                                      .backward = backward,
                                      .free = release};
    scp_training_of_network(training, scp_graph_parameters(graph), scp_graph_state(graph),
                            &options->train);
    status = make_plans(c, &training->bytes, graph, making, control);
    if (status == SCP_OK && making == SCP_MAKE) status = make_batch(&c->batch);
    if (status == SCP_OK && making == SCP_MAKE)
        training->self = c;
    else
        release(c);
    return status;
}
