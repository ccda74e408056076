/* What a step of the second stage of 3FabRec is: views of labelled faces, the features as they
 * stand, the head on them, heat maps against their targets. */
#include "scp/transfer.h"

#include <string.h>

#include "../nn/graph.h"
#include "scp/alloc.h"

enum { FEATURES = 0, HEAD, MODELS };

struct transfer {
    struct scp_transfer is;
    struct scp_faces faces;
    struct scp_face_labels labels;
    struct scp_transfer_options options;
    struct scp_plan *plans[MODELS];
    struct scp_output features, map;
    struct scp_face_batch batch;
    float *dense; /* what the head reads */
    uint32_t moving[SCP_TRANSFER_MAX_LAYERS];
};

static void release(void *self) {
    struct transfer *t = self;
    if (!t) return;
    for (int k = 0; k < MODELS; k++) scp_plan_free(t->plans[k]);
    scp_free(t->batch.images);
    scp_free(t->batch.points);
    scp_free(t->batch.sources);
    scp_free(t->dense);
    scp_free(t);
}

static enum scp_status forward(void *self, size_t phase, double *losses,
                               const struct scp_values *models, uint64_t step,
                               const struct scp_control *control) {
    struct transfer *t = self;
    const uint64_t seed = t->options.train.seed;
    (void)phase;
    enum scp_status status =
        scp_face_sample(&t->batch, &t->faces, &t->labels, &t->options.view, seed, step, control);
    if (status == SCP_OK)
        status = scp_plan_forward(t->plans[FEATURES], models[FEATURES].parameters,
                                  models[FEATURES].state, t->batch.images, seed, step, control);
    if (status != SCP_OK) return status;
    const struct scp_output *f = &t->features;
    for (size_t i = 0; i < t->batch.items * f->height * f->width; i++)
        memcpy(t->dense + i * f->channels, f->values + i * f->stride,
               f->channels * sizeof *t->dense);
    status = scp_plan_forward(t->plans[HEAD], models[HEAD].parameters, models[HEAD].state, t->dense,
                              seed, step, control);
    if (status != SCP_OK) return status;
    return scp_transfer_objective(losses, &t->map, t->batch.points, t->batch.items,
                                  t->labels.landmarks, t->batch.side, &t->options, control);
}

static enum scp_status backward(void *self, size_t phase, const struct scp_values *models,
                                const struct scp_control *control) {
    struct transfer *t = self;
    (void)phase;
    return scp_plan_backward(t->plans[HEAD], models[HEAD].gradients, NULL, models[HEAD].parameters,
                             control);
}

/* ---- making one ---- */

static enum scp_status make_plan(struct transfer *t, int which, size_t *bytes, size_t height,
                                 size_t width, enum scp_making making,
                                 const struct scp_control *control) {
    const struct scp_graph *graph = which == FEATURES ? t->is.features : t->is.head;
    size_t plan = 0, bad = 0;
    const enum scp_status status = scp_plan_create(
        making == SCP_MAKE ? &t->plans[which] : NULL, &plan, &bad, graph, t->batch.items, height,
        width, which == FEATURES ? SCP_PLAN_EVAL : SCP_PLAN_TRAIN);
    *bytes += plan;
    if (status == SCP_EINVAL)
        return scp_invalid(control, "layer", bad, "does not fit the size of its input");
    return status;
}

/* The features' size is known from a plan of one image, which is cheap. */
static enum scp_status features_size(struct transfer *t, const struct scp_control *control) {
    struct scp_plan *plan;
    size_t bytes, bad;
    const enum scp_status status = scp_plan_create(&plan, &bytes, &bad, t->is.features, 1,
                                                   t->batch.side, t->batch.side, SCP_PLAN_EVAL);
    if (status == SCP_EINVAL)
        return scp_invalid(control, "layer", bad, "does not fit the size of the views");
    if (status != SCP_OK) return status;
    scp_plan_output(&t->features, plan, 0);
    scp_plan_free(plan);
    return SCP_OK;
}

static enum scp_status make(struct transfer *t, size_t *bytes, enum scp_making making,
                            const struct scp_control *control) {
    const size_t items = t->batch.items, side = t->batch.side, landmarks = t->labels.landmarks;
    enum scp_status status = features_size(t, control);
    if (status != SCP_OK) return status;
    const struct scp_output f = t->features;
    status = make_plan(t, FEATURES, bytes, side, side, making, control);
    if (status == SCP_OK) status = make_plan(t, HEAD, bytes, f.height, f.width, making, control);
    if (status != SCP_OK) return status;
    const size_t pictures = items * side * side * SCP_FACE_CHANNELS;
    const size_t dense = items * f.height * f.width * f.channels;
    *bytes += (pictures + dense + 2 * items * landmarks) * sizeof(float) +
              (items + t->faces.count) * sizeof(uint32_t);
    if (making == SCP_MEASURE) return SCP_OK;
    scp_plan_output(&t->features, t->plans[FEATURES], 0);
    scp_plan_output(&t->map, t->plans[HEAD], 0);
    if (t->map.channels != landmarks || t->map.height != t->map.width)
        return scp_invalid(control, "head", SCP_WHOLE, "must give a square map per landmark");
    for (size_t i = 0, k = 0; i < t->is.head->count; i++) {
        const int moves = k < t->is.moving_count && t->is.moving[k] == i;
        if (moves)
            k++;
        else
            scp_plan_freeze(t->plans[HEAD], i);
    }
    t->batch.images = scp_alloc(pictures, sizeof(float));
    t->batch.points = scp_alloc(items * landmarks, 2 * sizeof(float));
    t->batch.sources = scp_alloc(items, sizeof(uint32_t));
    t->dense = scp_alloc(dense, sizeof(float));
    return t->batch.images && t->batch.points && t->batch.sources && t->dense ? SCP_OK : SCP_ENOMEM;
}

static enum scp_status check(const struct transfer *t, const struct scp_control *control) {
    const struct scp_graph *features = t->is.features, *head = t->is.head;
    if (features->n_outputs != 1 || features->channels[0] != SCP_FACE_CHANNELS)
        return scp_invalid(control, "features", SCP_WHOLE, "must see colour and have one output");
    for (size_t i = 0; i < features->count; i++)
        if (features->layers[i].output && features->channels[i] != head->channels[0])
            return scp_invalid(control, "head", SCP_WHOLE, "must take what the features give");
    if (head->n_outputs != 1)
        return scp_invalid(control, "head", SCP_WHOLE, "must have one output");
    if (t->is.moving_count == 0 || t->is.moving_count > SCP_TRANSFER_MAX_LAYERS)
        return scp_invalid(control, "moving", SCP_SHAPE, "must be 1 to 12 layers");
    for (size_t k = 0; k < t->is.moving_count; k++) {
        const uint32_t layer = t->is.moving[k];
        if (layer >= head->count || !head->blocks[layer].n_parameters ||
            (k > 0 && layer <= t->is.moving[k - 1]))
            return scp_invalid(control, "moving", k, "must be layers with weights, ascending");
    }
    return SCP_OK;
}

static void add_models(struct scp_training *training, const struct transfer *t) {
    static const char *const names[SCP_TRANSFER_MAX_LAYERS] = {
        "head.0", "head.1", "head.2", "head.3", "head.4",  "head.5",
        "head.6", "head.7", "head.8", "head.9", "head.10", "head.11"};
    const struct scp_graph *graphs[MODELS] = {t->is.features, t->is.head};
    for (int m = 0; m < MODELS; m++)
        training->models[m] = (struct scp_model){.name = m == FEATURES ? "features" : "head",
                                                 .parameters = graphs[m]->n_parameters,
                                                 .state = graphs[m]->n_state};
    training->n_models = MODELS;
    for (size_t k = 0; k < t->is.moving_count; k++) {
        const struct scp_block *block = &t->is.head->blocks[t->is.moving[k]];
        struct scp_group *group = &training->groups[k];
        *group = (struct scp_group){.name = names[k],
                                    .model = HEAD,
                                    .first = block->parameters,
                                    .count = block->n_parameters,
                                    .rate = 1,
                                    .phases = 1,
                                    .every = 1};
        scp_optimiser_of(&group->optimiser, &t->options.train);
    }
    training->n_groups = t->is.moving_count;
    training->phases = 1;
}

enum scp_status scp_transfer_training(struct scp_training *training,
                                      const struct scp_transfer *transfer,
                                      const struct scp_transfer_options *options,
                                      enum scp_making making, const struct scp_control *control) {
    enum scp_status status = scp_options_check(&scp_transfer_table, options, control);
    if (status == SCP_OK)
        status = scp_faces_check(transfer->faces, transfer->labels, transfer->side, control);
    if (status != SCP_OK) return status;
    struct transfer *t = scp_calloc(1, sizeof *t);
    if (!t) return SCP_ENOMEM;
    *t = (struct transfer){.is = *transfer,
                           .faces = *transfer->faces,
                           .labels = *transfer->labels,
                           .options = *options,
                           .batch = {.items = options->batch, .side = transfer->side}};
    if (transfer->moving_count <= SCP_TRANSFER_MAX_LAYERS)
        memcpy(t->moving, transfer->moving, transfer->moving_count * sizeof *t->moving);
    t->is.moving = t->moving;
    *training = (struct scp_training){.losses = SCP_TRANSFER_LOSSES,
                                      .bytes = sizeof *t,
                                      .forward = forward,
                                      .backward = backward,
                                      .free = release};
    status = check(t, control);
    if (status == SCP_OK) {
        add_models(training, t);
        status = make(t, &training->bytes, making, control);
    }
    if (status == SCP_OK && making == SCP_MAKE)
        training->self = t;
    else
        release(t);
    return status;
}
