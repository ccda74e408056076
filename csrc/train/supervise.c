/* What a step of supervised training is: views of labelled images, the network on them, heat maps
 * against Gaussians whose sigmas are trained too, and weight decay as a part of the loss, so that
 * the norm of the whole gradient is what is clipped. */
#include "scp/supervise.h"

#include <string.h>

#include "../kernels/kernels.h"
#include "../nn/graph.h"
#include "scp/alloc.h"

struct supervise {
    const struct scp_graph *graph;
    struct scp_pool pool;
    struct scp_supervise_labels labels;
    struct scp_supervise_options options;
    struct scp_plan *plan;
    struct scp_output map;
    struct scp_supervise_batch batch;
    float *sigma_gradients;
};

static void release(void *self) {
    struct supervise *s = self;
    if (!s) return;
    scp_plan_free(s->plan);
    scp_free(s->batch.images);
    scp_free(s->batch.points);
    scp_free(s->batch.weights);
    scp_free(s->batch.sources);
    scp_free(s->sigma_gradients);
    scp_free(s);
}

/* The weights of layer i, without its biases: how many, from *first on. */
static size_t kernel_of(size_t *first, const struct scp_graph *graph, size_t i) {
    const enum scp_op op = graph->layers[i].op;
    if (op != SCP_OP_CONV && op != SCP_OP_TRANSPOSED) return 0;
    const struct scp_conv conv = scp_layer_conv(graph, i);
    *first = graph->blocks[i].parameters;
    return scp_conv_weights(&conv);
}

static double decay_loss(const struct supervise *s, const float *parameters) {
    double sum = 0;
    for (size_t i = 0, first = 0; i < s->graph->count; i++) {
        const size_t n = kernel_of(&first, s->graph, i);
        if (n) sum += scp_kernels()->objective.squares(parameters + first, n);
    }
    return s->options.train.weight_decay * sum / 2;
}

static enum scp_status forward(void *self, size_t phase, double *losses,
                               const struct scp_values *models, uint64_t step,
                               const struct scp_control *control) {
    struct supervise *s = self;
    const struct scp_supervise_options *o = &s->options;
    (void)phase;
    enum scp_status status =
        scp_supervise_sample(&s->batch, &s->pool, &s->labels, o, step, control);
    if (status == SCP_OK)
        status = scp_plan_forward(s->plan, models->parameters, models->state, s->batch.images,
                                  o->train.seed, step, control);
    if (status != SCP_OK) return status;
    losses[1] = decay_loss(s, models->parameters);
    return scp_supervise_objective(losses, s->sigma_gradients, &s->map,
                                   models->parameters + s->graph->n_parameters, &s->batch,
                                   o->integral, o->sigma_weight, control);
}

static enum scp_status backward(void *self, size_t phase, const struct scp_values *models,
                                const struct scp_control *control) {
    struct supervise *s = self;
    const float decay = (float)s->options.train.weight_decay;
    (void)phase;
    const enum scp_status status =
        scp_plan_backward(s->plan, models->gradients, NULL, models->parameters, control);
    if (status != SCP_OK) return status;
    for (size_t i = 0, first = 0; i < s->graph->count; i++) {
        const size_t n = kernel_of(&first, s->graph, i);
        for (size_t k = first; k < first + n; k++)
            models->gradients[k] += decay * models->parameters[k];
    }
    for (size_t l = 0; l < s->labels.landmarks; l++)
        models->gradients[s->graph->n_parameters + l] += s->sigma_gradients[l];
    return SCP_OK;
}

/* ---- making one ---- */

/* What sampling and the objective hold for a moment, at most: 1 KiB is more than a drawn view. */
static size_t scratch(const struct supervise *s) {
    const struct scp_supervise_batch *b = &s->batch;
    return b->items * (1024 + (4 * b->height + 2 * b->width) * b->landmarks * sizeof(double)) +
           s->pool.count * sizeof(uint32_t);
}

static size_t batch_bytes(const struct scp_supervise_batch *b) {
    return b->items *
               ((b->height * b->width + 3 * b->landmarks) * sizeof(float) + sizeof(uint32_t)) +
           b->landmarks * sizeof(float);
}

static enum scp_status make_batch(struct supervise *s) {
    struct scp_supervise_batch *b = &s->batch;
    b->images = scp_alloc(b->items * b->height * b->width, sizeof(float));
    b->points = scp_alloc(b->items * b->landmarks, 2 * sizeof(float));
    b->weights = scp_alloc(b->items * b->landmarks, sizeof(float));
    b->sources = scp_alloc(b->items, sizeof(uint32_t));
    s->sigma_gradients = scp_alloc(b->landmarks, sizeof(float));
    return b->images && b->points && b->weights && b->sources && s->sigma_gradients ? SCP_OK
                                                                                    : SCP_ENOMEM;
}

static enum scp_status make_plan(struct supervise *s, size_t *bytes, enum scp_making making,
                                 const struct scp_control *control) {
    const struct scp_supervise_batch *b = &s->batch;
    size_t plan = 0, bad = 0;
    const enum scp_status status =
        scp_plan_create(making == SCP_MAKE ? &s->plan : NULL, &plan, &bad, s->graph, b->items,
                        b->height, b->width, SCP_PLAN_TRAIN);
    if (status == SCP_EINVAL)
        return scp_invalid(control, "layer", bad, "does not fit the size of the images");
    if (status != SCP_OK) return status;
    *bytes += plan;
    if (making == SCP_MEASURE) return SCP_OK;
    scp_plan_output(&s->map, s->plan, 0);
    if (s->map.channels != b->landmarks || s->map.height != b->height || s->map.width != b->width)
        return scp_invalid(control, "graph", SCP_WHOLE,
                           "must give a map per landmark at the size of the images");
    return SCP_OK;
}

/* The network and the sigmas move together, so that one norm is clipped. */
static void set_group(struct scp_training *training, const struct supervise *s) {
    const struct scp_supervise_options *o = &s->options;
    scp_training_of_network(training, s->graph->n_parameters + s->labels.landmarks,
                            s->graph->n_state, &o->train);
    training->groups[0].optimiser = (struct scp_optimiser){.kind = SCP_SGD,
                                                           .clip = (float)o->train.clip_norm,
                                                           .momentum = (float)o->momentum,
                                                           .nesterov = 1};
}

enum scp_status scp_supervise_training(struct scp_training *training, const struct scp_graph *graph,
                                       const struct scp_pool *pool,
                                       const struct scp_supervise_labels *labels,
                                       const struct scp_supervise_options *options,
                                       enum scp_making making, const struct scp_control *control) {
    enum scp_status status = scp_supervise_check(options, pool, labels, control);
    if (status != SCP_OK) return status;
    if (graph->n_outputs != 1 || graph->channels[0] != 1)
        return scp_invalid(control, "graph", SCP_WHOLE, "must have one input channel, one output");
    struct supervise *s = scp_calloc(1, sizeof *s);
    if (!s) return SCP_ENOMEM;
    *s = (struct supervise){.graph = graph,
                            .pool = *pool,
                            .labels = *labels,
                            .options = *options,
                            .batch = {.items = options->batch,
                                      .height = pool->height,
                                      .width = pool->width,
                                      .landmarks = labels->landmarks}};
    *training = (struct scp_training){.losses = SCP_SUPERVISE_LOSSES,
                                      .bytes = sizeof *s + batch_bytes(&s->batch) + scratch(s),
                                      .forward = forward,
                                      .backward = backward,
                                      .free = release};
    set_group(training, s);
    status = make_plan(s, &training->bytes, making, control);
    if (status == SCP_OK && making == SCP_MAKE) status = make_batch(s);
    if (status == SCP_OK && making == SCP_MAKE)
        training->self = s;
    else
        release(s);
    return status;
}
