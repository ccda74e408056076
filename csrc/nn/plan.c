/* How stages read the values of a plan. */
#include "plan.h"

static struct scp_deferred deferred_of(const struct scp_value *value) {
    if (!value->deferred) return (struct scp_deferred){0};
    return (struct scp_deferred){scp_value_coef(value, SCP_SCALE), scp_value_coef(value, SCP_SHIFT),
                                 scp_value_coef(value, SCP_SLOPE), value->image_step};
}

struct scp_source scp_value_source(const struct scp_value *value) {
    return (struct scp_source){.map = value->map, .deferred = deferred_of(value)};
}

struct scp_source scp_value_gradient(const struct scp_value *value) {
    struct scp_source gradient = {.map = value->grad};
    if (!value->norm && !value->active) return gradient;
    gradient.backward.raw = value->map;
    gradient.backward.deferred = deferred_of(value);
    if (value->norm) {
        gradient.backward.a = scp_value_coef(value, SCP_A);
        gradient.backward.b = scp_value_coef(value, SCP_B);
        gradient.backward.c = scp_value_coef(value, SCP_C);
    }
    return gradient;
}

struct scp_pass scp_stage_pass(const struct scp_plan *plan, const struct scp_stage *stage) {
    const struct scp_layer *layer = plan->graph->layers + stage->layer;
    return (struct scp_pass){.in = scp_value_source(plan->values + stage->inputs[0]),
                             .curve = stage->op == SCP_OP_TANH ? SCP_TANH : SCP_SIGMOID,
                             .align = (int)layer->align,
                             .rate = layer->rate,
                             .factor = layer->factor,
                             .taps =
                                 layer->factor ? layer->kernel_x / layer->factor : layer->kernel_x,
                             .seed = plan->seed,
                             .stream = (uint64_t)stage->layer << 32};
}

struct scp_map scp_concat_part(const struct scp_plan *plan, const struct scp_stage *stage, size_t k,
                               const struct scp_map *whole) {
    struct scp_map part = *whole;
    for (size_t j = 0; j < k; j++) part.data += plan->values[stage->inputs[j]].map.channels;
    part.channels = plan->values[stage->inputs[k]].map.channels;
    part.part = 1;
    return part;
}
