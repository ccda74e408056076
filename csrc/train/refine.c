/* What a step of refinement is: a view of every item of a batch, the network on it, the losses of
 * heat maps and offsets. */
#include "scp/refine.h"

#include "../nn/graph.h"
#include "scp/alloc.h"

struct refine {
    struct scp_pool pool;
    struct scp_labels labels;
    struct scp_refine_options options;
    struct scp_plan *plan;
    struct scp_output map;
    struct scp_refine_batch batch;
};

static void release(void *self) {
    struct refine *r = self;
    if (!r) return;
    scp_plan_free(r->plan);
    scp_free(r->batch.images);
    scp_free(r->batch.points);
    scp_free(r->batch.weights);
    scp_free(r->batch.sources);
    scp_free(r);
}

float scp_refine_radius(const struct scp_refine_options *options, size_t height, size_t width) {
    return (float)(options->radius * (double)(height > width ? height : width));
}

static enum scp_status forward(void *self, size_t phase, double *losses,
                               const struct scp_values *models, uint64_t step,
                               const struct scp_control *control) {
    struct refine *r = self;
    const struct scp_refine_options *o = &r->options;
    (void)phase;
    enum scp_status status = scp_refine_sample(&r->batch, &r->pool, &r->labels, o, step, control);
    if (status == SCP_OK)
        status = scp_plan_forward(r->plan, models->parameters, models->state, r->batch.images,
                                  o->train.seed, step, control);
    if (status != SCP_OK) return status;
    return scp_refine_objective(losses, &r->map, &r->batch,
                                scp_refine_radius(o, r->pool.height, r->pool.width),
                                (float)o->focal, control);
}

static enum scp_status backward(void *self, size_t phase, const struct scp_values *models,
                                const struct scp_control *control) {
    struct refine *r = self;
    (void)phase;
    return scp_plan_backward(r->plan, models->gradients, NULL, models->parameters, control);
}

/* ---- making one ---- */

/* What sampling and the objective hold for a moment, at most. */
static size_t scratch(const struct scp_pool *pool, size_t items, size_t landmarks) {
    const size_t view = 2 * pool->height * pool->width + 2 * pool->width;
    const size_t rows = items * pool->height;
    return scp_threads() * view * sizeof(float) + pool->count * sizeof(uint32_t) +
           rows * (SCP_REFINE_LOSSES * sizeof(double) + landmarks * sizeof(uint32_t));
}

static size_t batch_bytes(const struct scp_refine_batch *b) {
    return b->items * ((b->height * b->width * b->channels + 3 * b->landmarks) * sizeof(float) +
                       sizeof(uint32_t));
}

static enum scp_status make_batch(struct scp_refine_batch *b) {
    b->images = scp_alloc(b->items * b->height * b->width * b->channels, sizeof(float));
    b->points = scp_alloc(b->items * b->landmarks, 2 * sizeof(float));
    b->weights = scp_alloc(b->items * b->landmarks, sizeof(float));
    b->sources = scp_alloc(b->items, sizeof(uint32_t));
    return b->images && b->points && b->weights && b->sources ? SCP_OK : SCP_ENOMEM;
}

static enum scp_status make_plan(struct refine *r, size_t *bytes, const struct scp_graph *graph,
                                 enum scp_making making, const struct scp_control *control) {
    const struct scp_refine_batch *b = &r->batch;
    size_t plan = 0, bad = 0;
    const enum scp_status status =
        scp_plan_create(making == SCP_MAKE ? &r->plan : NULL, &plan, &bad, graph, b->items,
                        b->height, b->width, SCP_PLAN_TRAIN);
    if (status == SCP_EINVAL)
        return scp_invalid(control, "layer", bad, "does not fit the size of the images");
    if (status != SCP_OK) return status;
    *bytes += plan;
    if (making == SCP_MEASURE) return SCP_OK;
    scp_plan_output(&r->map, r->plan, 0);
    const struct scp_output *map = &r->map;
    if (map->channels != 3 * b->landmarks || b->height % map->height || b->width % map->width ||
        b->height / map->height != b->width / map->width)
        return scp_invalid(control, "graph", SCP_WHOLE,
                           "must give 3 maps per landmark, smaller by one whole factor");
    return SCP_OK;
}

enum scp_status scp_refine_training(struct scp_training *training, const struct scp_graph *graph,
                                    const struct scp_pool *pool, const struct scp_labels *labels,
                                    const struct scp_refine_options *options,
                                    enum scp_making making, const struct scp_control *control) {
    const size_t channels = graph->channels[0];
    enum scp_status status = scp_refine_check(options, pool, labels, control);
    if (status != SCP_OK) return status;
    if (scp_graph_outputs(graph) != 1 || (channels != 1 && channels != 3))
        return scp_invalid(control, "graph", SCP_WHOLE,
                           "must have 1 or 3 input channels and one output");
    struct refine *r = scp_calloc(1, sizeof *r);
    if (!r) return SCP_ENOMEM;
    *r = (struct refine){.pool = *pool,
                         .labels = *labels,
                         .options = *options,
                         .batch = {.items = scp_refine_items(options, labels),
                                   .height = pool->height,
                                   .width = pool->width,
                                   .channels = channels,
                                   .landmarks = labels->landmarks}};
    *training = (struct scp_training){.losses = SCP_REFINE_LOSSES,
                                      .bytes = sizeof *r + batch_bytes(&r->batch) +
                                               scratch(pool, r->batch.items, labels->landmarks),
                                      .forward = forward,
                                      .backward = backward,
                                      .free = release};
    scp_training_of_network(training, scp_graph_parameters(graph), scp_graph_state(graph),
                            &options->train);
    status = make_plan(r, &training->bytes, graph, making, control);
    if (status == SCP_OK && making == SCP_MAKE) status = make_batch(&r->batch);
    if (status == SCP_OK && making == SCP_MAKE)
        training->self = r;
    else
        release(r);
    return status;
}
