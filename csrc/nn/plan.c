#include "plan.h"

#include <string.h>

#include "scp/alloc.h"

/* ---- shapes ---- */

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
        shape->macs =
            grid->height * grid->width * conv.kernel_y * conv.kernel_x * conv.in * conv.out;
        break;
    }
    case SCP_OP_MAX_POOL:
        shape->height /= 2;
        shape->width /= 2;
        break;
    case SCP_OP_RESIZE:
        shape->height *= l->factor;
        shape->width *= l->factor;
        break;
    case SCP_OP_MEAN:
        shape->height = shape->width = 1;
        break;
    case SCP_OP_CONCAT:
    case SCP_OP_ADD:
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

/* ---- lowering ---- */

static size_t add_value(struct scp_plan *plan, size_t layer, size_t step) {
    const struct scp_shape *shape = plan->shapes + layer;
    struct scp_value *v = plan->values + plan->n_values;
    *v = (struct scp_value){.root = plan->n_values, .step = step, .images = 1, .slope = 1};
    v->map = (struct scp_map){.batch = plan->batch,
                              .height = shape->height,
                              .width = shape->width,
                              .channels = shape->channels,
                              .stride = scp_lanes_up(shape->channels)};
    v->grad = v->map;
    return plan->n_values++;
}

static size_t add_step(struct scp_plan *plan, enum scp_step_op op, size_t layer,
                       const size_t *inputs, size_t n) {
    const size_t s = plan->n_steps++;
    struct scp_step *step = plan->steps + s;
    *step = (struct scp_step){.op = op, .layer = layer, .n_inputs = n};
    for (size_t k = 0; k < n; k++) {
        step->inputs[k] = inputs[k];
        plan->values[inputs[k]].last_use = s;
    }
    step->value = add_value(plan, layer, s);
    return step->value;
}

static size_t finished(struct scp_plan *plan, size_t layer, size_t value) {
    return add_step(plan, SCP_STEP_COPY, layer, &value, 1);
}

/* The value that a norm or activation may become the pending transform of. */
static size_t host(struct scp_plan *plan, size_t layer, int is_norm) {
    const size_t input = (size_t)plan->graph->layers[layer].inputs[0];
    const size_t v = plan->value_of[input];
    const struct scp_value *value = plan->values + v;
    const int free = input > 0 && plan->graph->uses[input] == 1 &&
                     !plan->graph->layers[input].output && !value->has_slices && value->root == v &&
                     !value->active && !(is_norm && value->norm);
    return free ? v : finished(plan, layer, v);
}

static void take_slices(struct scp_plan *plan, const struct scp_step *step) {
    size_t channel = 0;
    for (size_t k = 0; k < step->n_inputs; k++) {
        struct scp_value *in = plan->values + step->inputs[k];
        const size_t channels = in->map.channels;
        int once = 1;
        for (size_t j = 0; j < step->n_inputs; j++)
            once &= j == k || step->inputs[j] != step->inputs[k];
        if (once && channels % SCP_LANES == 0 && channel % SCP_LANES == 0 && step->inputs[k] > 0 &&
            in->root == step->inputs[k] && !in->is_output && !in->has_slices) {
            in->root = step->value;
            in->first_channel = channel;
            struct scp_value *all = plan->values + step->value;
            all->has_slices = 1;
            if (in->norm == SCP_OP_INSTANCE_NORM) all->images = plan->batch;
            if (in->norm || in->active) all->pending = 1;
        }
        channel += channels;
    }
}

static void lower_layer(struct scp_plan *plan, size_t i) {
    static const enum scp_step_op plain[SCP_OP_COUNT] = {
        [SCP_OP_CONV] = SCP_STEP_CONV,     [SCP_OP_TRANSPOSED] = SCP_STEP_CONV,
        [SCP_OP_MAX_POOL] = SCP_STEP_POOL, [SCP_OP_RESIZE] = SCP_STEP_RESIZE,
        [SCP_OP_CONCAT] = SCP_STEP_CONCAT, [SCP_OP_ADD] = SCP_STEP_ADD,
        [SCP_OP_MEAN] = SCP_STEP_MEAN,     [SCP_OP_SIGMOID] = SCP_STEP_SIGMOID,
        [SCP_OP_TANH] = SCP_STEP_TANH,     [SCP_OP_DROPOUT] = SCP_STEP_DROPOUT};
    const struct scp_layer *l = plan->graph->layers + i;
    size_t inputs[SCP_LAYER_INPUTS], n = scp_layer_inputs(l), v;
    for (size_t k = 0; k < n; k++) inputs[k] = plan->value_of[l->inputs[k]];
    if (l->op == SCP_OP_INPUT) {
        v = add_value(plan, i, 0);
        plan->values[v].map.stride = plan->values[v].map.channels; /* the caller's array */
    } else if (l->op == SCP_OP_BATCH_NORM || l->op == SCP_OP_INSTANCE_NORM) {
        v = host(plan, i, 1);
        plan->values[v].norm = l->op;
        plan->values[v].norm_layer = i;
        plan->values[v].pending = 1;
        if (l->op == SCP_OP_INSTANCE_NORM) plan->values[v].images = plan->batch;
    } else if (l->op == SCP_OP_LEAKY) {
        v = host(plan, i, 0);
        plan->values[v].active = 1;
        plan->values[v].slope = l->slope;
        plan->values[v].pending = 1;
    } else if (l->op == SCP_OP_DROPOUT && (!plan->train || l->rate == 0)) {
        v = finished(plan, i, inputs[0]);
    } else {
        if (l->op != SCP_OP_CONV && l->op != SCP_OP_TRANSPOSED) /* they want whole vectors */
            for (size_t k = 0; k < n; k++)
                if (inputs[k] == 0) inputs[k] = finished(plan, (size_t)l->inputs[k], 0);
        if (l->op == SCP_OP_ADD && plan->values[inputs[1]].pending)
            inputs[1] = finished(plan, (size_t)l->inputs[1], inputs[1]);
        v = add_step(plan, plain[l->op], i, inputs, n);
        if (l->op == SCP_OP_CONCAT) take_slices(plan, plan->steps + plan->values[v].step);
    }
    if (l->output) {
        if (plan->values[v].pending || plan->values[v].root != v) v = finished(plan, i, v);
        plan->values[v].is_output = 1;
    }
    plan->value_of[i] = v;
}

/* ---- who writes which gradient first ---- */

static int flow_once(struct scp_plan *plan, unsigned char *written) {
    for (size_t v = 0; v < plan->n_values; v++)
        written[v] = (unsigned char)(plan->values[v].is_output || plan->values[v].zero_first);
    for (size_t s = plan->n_steps; s-- > 0;) {
        struct scp_step *step = plan->steps + s;
        for (size_t k = 0; k < step->n_inputs; k++) {
            const size_t v = step->inputs[k], root = plan->values[v].root;
            if (root != v && step->value == root) continue; /* a slice of this concatenation */
            step->accumulate[k] = written[root] || written[v];
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

static enum scp_status flow(struct scp_plan *plan) {
    unsigned char *written = scp_alloc(plan->n_values, 1);
    if (!written) return SCP_ENOMEM;
    while (!flow_once(plan, written)) {
    }
    scp_free(written);
    return SCP_OK;
}

/* ---- the plan ---- */

struct scp_pending scp_value_pending(const struct scp_value *value) {
    if (!value->pending) return (struct scp_pending){0};
    return (struct scp_pending){scp_value_coef(value, SCP_SCALE), scp_value_coef(value, SCP_SHIFT),
                                scp_value_coef(value, SCP_SLOPE), value->image_step};
}

struct scp_pull scp_value_pull(const struct scp_value *value) {
    struct scp_pull pull = {0};
    if (!value->norm && !value->active) return pull;
    pull.raw = value->map;
    pull.pending = scp_value_pending(value);
    if (value->norm) {
        pull.a = scp_value_coef(value, SCP_A);
        pull.b = scp_value_coef(value, SCP_B);
        pull.c = scp_value_coef(value, SCP_C);
    }
    return pull;
}

enum scp_status scp_plan_create(struct scp_plan **out, size_t *bytes, size_t *bad,
                                const struct scp_graph *graph, size_t batch, size_t height,
                                size_t width, enum scp_plan_mode mode) {
    *bad = 0;
    if (batch < 1 || batch > 65535 || height < 1 || height > 65535 || width < 1 || width > 65535)
        return SCP_EINVAL;
    enum scp_status status = SCP_ENOMEM;
    const size_t n = graph->count, most = 3 * n * SCP_LAYER_INPUTS + 1;
    struct scp_plan *plan = scp_calloc(1, sizeof *plan);
    if (!plan) return SCP_ENOMEM;
    *plan = (struct scp_plan){.graph = graph,
                              .train = mode == SCP_PLAN_TRAIN,
                              .batch = batch,
                              .height = height,
                              .width = width};
    plan->shapes = scp_calloc(n, sizeof *plan->shapes);
    plan->value_of = scp_calloc(n, sizeof *plan->value_of);
    plan->values = scp_calloc(most, sizeof *plan->values);
    plan->steps = scp_calloc(most, sizeof *plan->steps);
    plan->outputs = scp_calloc(graph->n_outputs, sizeof *plan->outputs);
    if (!plan->shapes || !plan->value_of || !plan->values || !plan->steps || !plan->outputs)
        goto done;
    for (size_t i = 0; i < n; i++) {
        *bad = i;
        status = SCP_EINVAL;
        if (!shape_layer(plan, i)) goto done;
    }
    size_t outputs = 0;
    for (size_t i = 0; i < n; i++) {
        lower_layer(plan, i);
        if (graph->layers[i].output) plan->outputs[outputs++] = plan->value_of[i];
    }
    status = flow(plan);
    if (status != SCP_OK) goto done;
    status = scp_plan_layout(plan);
    if (status != SCP_OK) goto done;
    *bytes = (plan->slab_floats + plan->workspace_floats) * sizeof(float) +
             n * sizeof *plan->shapes + most * (sizeof *plan->values + sizeof *plan->steps);
    if (out) {
        status = scp_plan_bind(plan);
        if (status != SCP_OK) goto done;
        *out = plan;
        return SCP_OK;
    }
done:
    scp_plan_free(plan);
    return status;
}

void scp_plan_free(struct scp_plan *plan) {
    if (!plan) return;
    scp_free(plan->shapes);
    scp_free(plan->value_of);
    scp_free(plan->values);
    scp_free(plan->steps);
    scp_free(plan->outputs);
    scp_free(plan->slab);
    scp_free(plan->workspace);
    scp_free(plan->statistics);
    scp_free(plan);
}

void scp_plan_shape(struct scp_shape *shape, const struct scp_plan *plan, size_t layer) {
    *shape = plan->shapes[layer];
}

void scp_plan_output(struct scp_output *output, const struct scp_plan *plan, size_t index) {
    const struct scp_value *v = plan->values + plan->outputs[index];
    *output = (struct scp_output){.values = v->map.data,
                                  .gradient = v->grad.data,
                                  .height = v->map.height,
                                  .width = v->map.width,
                                  .channels = v->map.channels,
                                  .stride = v->map.stride};
}
