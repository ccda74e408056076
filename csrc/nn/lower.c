/* Lowers a graph to a plan: shapes, stages and values, and where gradients are added. */
#include "memory.h"
#include "scp/alloc.h"

static int shape_layer(struct scp_plan *plan, size_t i) {
    const struct scp_graph *graph = plan->graph;
    const struct scp_layer *l = graph->layers + i;
    struct scp_shape *shape = plan->shapes + i;
    const struct scp_shape *in = l->inputs[0] >= 0 ? plan->shapes + l->inputs[0] : NULL;
    shape->channels = graph->channels[i];
    shape->macs = 0;
    shape->height = in ? in->height : plan->height;
    shape->width = in ? in->width : plan->width;
    switch (l->op) {
    case SCP_OP_CONV:
    case SCP_OP_TRANSPOSED: {
        const struct scp_conv conv = scp_layer_conv(graph, i);
        scp_conv_size(&shape->height, &shape->width, &conv, in->height, in->width);
        const struct scp_shape *grid = conv.transposed ? in : shape;
        shape->macs = grid->height * grid->width * scp_conv_weights(&conv);
        break;
    }
    case SCP_OP_MAX_POOL:
        shape->height = (shape->height + (l->kernel_y == 3)) / 2;
        shape->width = (shape->width + (l->kernel_x == 3)) / 2;
        break;
    case SCP_OP_AVERAGE_POOL:
        shape->height /= l->factor;
        shape->width /= l->factor;
        break;
    case SCP_OP_RESIZE:
    case SCP_OP_UPSAMPLE:
        shape->height *= l->factor;
        shape->width *= l->factor;
        break;
    case SCP_OP_MEAN:
        shape->height = shape->width = 1;
        break;
    case SCP_OP_CONCAT:
    case SCP_OP_ADD:
    case SCP_OP_MULTIPLY:
        for (size_t k = 1; k < scp_layer_inputs(l); k++)
            if (plan->shapes[l->inputs[k]].height != in->height ||
                plan->shapes[l->inputs[k]].width != in->width)
                return 0;
        break;
    default:
        break;
    }
    return shape->height > 0 && shape->width > 0 && shape->height < 65536 && shape->width < 65536;
}

static size_t add_value(struct scp_plan *plan, size_t layer, size_t stage) {
    const struct scp_shape *shape = plan->shapes + layer;
    const size_t channels = shape->channels, lanes = scp_lanes_up(channels);
    struct scp_value *v = plan->values + plan->n_values;
    *v = (struct scp_value){.root = plan->n_values, .stage = stage, .images = 1, .slope = 1};
    v->map = (struct scp_map){NULL, plan->batch, shape->height, shape->width, channels, lanes, 0};
    v->grad = v->map;
    return plan->n_values++;
}

static size_t add_stage(struct scp_plan *plan, enum scp_op op, size_t layer, const size_t *inputs,
                        size_t n) {
    const size_t s = plan->n_stages++;
    struct scp_stage *stage = plan->stages + s;
    *stage = (struct scp_stage){.op = op, .layer = layer, .n_inputs = n};
    for (size_t k = 0; k < n; k++) {
        stage->inputs[k] = inputs[k];
        plan->values[inputs[k]].last_use = s;
    }
    stage->value = add_value(plan, layer, s);
    return stage->value;
}

static size_t add_copy(struct scp_plan *plan, size_t layer, size_t value) {
    return add_stage(plan, SCP_STAGE_COPY, layer, &value, 1);
}

/* The value whose readers can apply a norm or activation: that of its input, or a copy of it. */
static size_t defer_to(struct scp_plan *plan, size_t layer, int is_norm) {
    const size_t input = (size_t)plan->graph->layers[layer].inputs[0];
    const size_t v = plan->value_of[input];
    const struct scp_value *value = plan->values + v;
    const int able = input > 0 && plan->graph->uses[input] == 1 &&
                     !plan->graph->layers[input].output && !value->has_slices && value->root == v &&
                     !value->active && !(is_norm && value->norm);
    return able ? v : add_copy(plan, layer, v);
}

static void take_slices(struct scp_plan *plan, const struct scp_stage *stage) {
    size_t channel = 0;
    for (size_t k = 0; k < stage->n_inputs; k++) {
        struct scp_value *in = plan->values + stage->inputs[k];
        const size_t channels = in->map.channels;
        int once = 1;
        for (size_t j = 0; j < stage->n_inputs; j++)
            once &= j == k || stage->inputs[j] != stage->inputs[k];
        if (once && channels % SCP_LANES == 0 && channel % SCP_LANES == 0 && stage->inputs[k] > 0 &&
            in->root == stage->inputs[k] && !in->is_output && !in->has_slices) {
            in->root = stage->value;
            in->first_channel = channel;
            struct scp_value *all = plan->values + stage->value;
            all->has_slices = 1;
            if (in->norm == SCP_OP_INSTANCE_NORM) all->images = plan->batch;
            if (in->norm || in->active) all->deferred = 1;
        }
        channel += channels;
    }
}

/* Inputs that the stage reads as they are stored: of ADD the second, of MULTIPLY both. */
static size_t two_stored(enum scp_op op) {
    return op == SCP_OP_ADD || op == SCP_OP_MULTIPLY ? 2 : 0;
}

static void lower_layer(struct scp_plan *plan, size_t i) {
    const struct scp_layer *l = plan->graph->layers + i;
    size_t inputs[SCP_LAYER_INPUTS], n = scp_layer_inputs(l), v;
    for (size_t k = 0; k < n; k++) inputs[k] = plan->value_of[l->inputs[k]];
    if (l->op == SCP_OP_INPUT) {
        v = add_value(plan, i, 0);
        plan->values[v].map.stride = plan->values[v].map.channels; /* the caller's array */
    } else if (l->op == SCP_OP_BATCH_NORM || l->op == SCP_OP_INSTANCE_NORM) {
        v = defer_to(plan, i, 1);
        plan->values[v].norm = (int)l->op;
        plan->values[v].norm_layer = i;
        plan->values[v].deferred = 1;
        if (l->op == SCP_OP_INSTANCE_NORM) plan->values[v].images = plan->batch;
    } else if (l->op == SCP_OP_LEAKY) {
        v = defer_to(plan, i, 0);
        plan->values[v].active = 1;
        plan->values[v].slope = l->slope;
        plan->values[v].deferred = 1;
    } else if (l->op == SCP_OP_DROPOUT && (!plan->train || l->rate == 0)) {
        v = add_copy(plan, i, inputs[0]);
    } else {
        if (l->op != SCP_OP_CONV && l->op != SCP_OP_TRANSPOSED) /* they want whole vectors */
            for (size_t k = 0; k < n; k++)
                if (inputs[k] == 0) inputs[k] = add_copy(plan, (size_t)l->inputs[k], 0);
        for (size_t k = l->op == SCP_OP_ADD; k < two_stored(l->op); k++) /* read as they are */
            if (plan->values[inputs[k]].deferred)
                inputs[k] = add_copy(plan, (size_t)l->inputs[k], inputs[k]);
        v = add_stage(plan, l->op, i, inputs, n);
        if (l->op == SCP_OP_CONCAT) take_slices(plan, plan->stages + plan->values[v].stage);
    }
    if (l->output) {
        if (plan->values[v].deferred || plan->values[v].root != v) v = add_copy(plan, i, v);
        plan->values[v].is_output = 1;
    }
    plan->value_of[i] = v;
}

/* Who writes which gradient first; 0: one was found that must be zeroed before. */
static int order_once(struct scp_plan *plan, unsigned char *written) {
    for (size_t v = 0; v < plan->n_values; v++)
        written[v] = (unsigned char)(plan->values[v].is_output || plan->values[v].zero_first);
    for (size_t s = plan->n_stages; s-- > 0;) {
        struct scp_stage *stage = plan->stages + s;
        for (size_t k = 0; k < stage->n_inputs; k++) {
            const size_t v = stage->inputs[k], root = plan->values[v].root;
            if (root != v && stage->value == root) continue; /* a slice of this concatenation */
            stage->accumulate[k] = written[root] || written[v];
            if (plan->values[v].has_slices && !written[v])
                for (size_t w = 0; w < plan->n_values; w++)
                    if (w != v && plan->values[w].root == v && written[w]) {
                        plan->values[v].zero_first = 1; /* a slice came before the whole */
                        return 0;
                    }
            written[v] = 1;
        }
    }
    return 1;
}

static enum scp_status order_gradients(struct scp_plan *plan) {
    unsigned char *written = scp_alloc(plan->n_values, 1);
    if (!written) return SCP_ENOMEM;
    while (!order_once(plan, written)) {
    }
    scp_free(written);
    return SCP_OK;
}

enum scp_status scp_plan_create(struct scp_plan **out, size_t *bytes, size_t *bad,
                                const struct scp_graph *graph, size_t batch, size_t height,
                                size_t width, enum scp_plan_mode mode) {
    *bad = 0;
    if (batch < 1 || batch > 65535 || height < 1 || height > 65535 || width < 1 || width > 65535)
        return SCP_EINVAL;
    enum scp_status status = SCP_ENOMEM;
    const size_t n = graph->count, max_stages = 3 * n * SCP_LAYER_INPUTS + 1;
    struct scp_plan *plan = scp_calloc(1, sizeof *plan);
    if (!plan) return SCP_ENOMEM;
    *plan = (struct scp_plan){.graph = graph, .batch = batch, .height = height, .width = width};
    plan->train = mode == SCP_PLAN_TRAIN;
    plan->shapes = scp_calloc(n, sizeof *plan->shapes);
    plan->value_of = scp_calloc(n, sizeof *plan->value_of);
    plan->values = scp_calloc(max_stages, sizeof *plan->values);
    plan->stages = scp_calloc(max_stages, sizeof *plan->stages);
    plan->outputs = scp_calloc(graph->n_outputs, sizeof *plan->outputs);
    plan->frozen = scp_calloc(n, 1);
    if (!plan->shapes || !plan->value_of || !plan->values || !plan->stages || !plan->outputs ||
        !plan->frozen)
        goto done;
    for (size_t i = 0, outputs = 0; i < n; i++) {
        *bad = i;
        status = SCP_EINVAL;
        if (!shape_layer(plan, i)) goto done;
        lower_layer(plan, i);
        if (graph->layers[i].output) plan->outputs[outputs++] = plan->value_of[i];
    }
    status = order_gradients(plan);
    if (status == SCP_OK) status = scp_plan_layout(plan);
    if (status != SCP_OK) goto done;
    *bytes = (plan->slab_floats + plan->workspace_floats) * sizeof(float) +
             n * sizeof *plan->shapes + max_stages * (sizeof *plan->values + sizeof *plan->stages);
    if (!out) goto done;
    status = scp_plan_bind(plan);
    if (status != SCP_OK) goto done;
    *out = plan;
    return SCP_OK;
done:
    scp_plan_free(plan);
    return status;
}

void scp_plan_free(struct scp_plan *plan) {
    if (!plan) return;
    scp_free(plan->shapes);
    scp_free(plan->value_of);
    scp_free(plan->values);
    scp_free(plan->stages);
    scp_free(plan->outputs);
    scp_free(plan->frozen);
    scp_free(plan->slab);
    scp_free(plan->workspace);
    scp_free(plan->statistics);
    scp_free(plan);
}

void scp_plan_freeze(struct scp_plan *plan, size_t layer) {
    plan->frozen[layer] = 1;
}

void scp_plan_shape(struct scp_shape *shape, const struct scp_plan *plan, size_t layer) {
    *shape = plan->shapes[layer];
}

void scp_plan_output(struct scp_output *output, const struct scp_plan *plan, size_t index) {
    const struct scp_value *v = plan->values + plan->outputs[index];
    const struct scp_map *m = &v->map;
    *output =
        (struct scp_output){m->data, v->grad.data, m->height, m->width, m->channels, m->stride};
}
