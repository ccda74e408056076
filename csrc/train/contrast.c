/* What a step of the training of features by InfoNCE is: two views of every image of a batch, the
 * network on both, the objective at the levels that have one. */
#include "scp/contrast.h"

#include "byol.h"
#include "scp/alloc.h"
#include "two_views.h"

static void release(void *self) {
    if (self) two_views_release(self);
    scp_free(self);
}

static enum scp_status forward(void *self, size_t phase, double *losses,
                               const struct scp_values *models, uint64_t step,
                               const struct scp_control *control) {
    struct two_views *v = self;
    (void)phase;
    enum scp_status status = scp_contrast_sample(&v->batch, &v->pool, &v->options, step, control);
    for (int view = 0; status == SCP_OK && view < SCP_VIEWS; view++)
        status = two_views_forward(v, view, models, step, control);
    if (status != SCP_OK) return status;
    two_views_clear(v, 0, v->first);
    return scp_contrast_objective(losses, v->outputs[SCP_VIEW_IMAGE] + v->first,
                                  v->outputs[SCP_VIEW_CROP] + v->first, v->levels - v->first,
                                  &v->batch, &v->options, control);
}

static enum scp_status backward(void *self, size_t phase, const struct scp_values *models,
                                const struct scp_control *control) {
    (void)phase;
    return two_views_backward(self, models, control);
}

enum scp_status scp_contrast_training(struct scp_training *training, const struct scp_graph *graph,
                                      const struct scp_pool *pool,
                                      const struct scp_contrast_options *options,
                                      enum scp_making making, const struct scp_control *control) {
    if (options->objective == SCP_OBJECTIVE_BYOL_LEVELS || options->objective == SCP_OBJECTIVE_BYOL)
        return byol_training(training, graph, pool, options, making, control);
    struct two_views *v = scp_calloc(1, sizeof *v);
    if (!v) return SCP_ENOMEM;
    *training = (struct scp_training){
        .bytes = sizeof *v, .forward = forward, .backward = backward, .free = release};
    enum scp_status status =
        two_views_make(v, &training->bytes, graph, pool, options, making, control);
    if (status == SCP_OK) status = two_views_network(training, v, graph, control);
    training->losses = v->levels - v->first;
    if (status == SCP_OK && making == SCP_MAKE)
        training->self = v;
    else
        release(v);
    return status;
}
