/* The second stage of 3FabRec (Browatzki and Wallraven, CVPR 2020): landmarks from few labels.
 *
 * The auto-encoder of scp/autoencode.h stands still, its running statistics too. Two graphs: the
 * features run up to the generator's first stage; the head is the rest of the generator with a
 * transfer layer before each of its stages, and a last layer that makes a heat map per landmark. In
 * the head only some layers move; batch norms that stand still are folded into convolutions by
 * whoever builds it.
 *
 * Read scp/reference/faces.py first, then scp/train.h for the loop. */
#ifndef SCP_TRANSFER_H
#define SCP_TRANSFER_H

#include "scp/autoencode.h"

#define SCP_TRANSFER_LOSSES 1

#define SCP_TRANSFER_ROWS(O)                                                                       \
    O(COUNT, batch, 40, 1, 4096, "images", "per step, in shuffled passes")                         \
    O(REAL, sigma, 7, 0.2, 100, "pixels of a heat map", "of the targets")                          \
    O(REAL, weight, 300, 1e-9, 1e9, "", "of the mean squared error")

struct scp_transfer_options {
    struct scp_train_options train;
    struct scp_face_view_options view;
    SCP_TRANSFER_ROWS(SCP_OPTION_FIELD)
};
extern const struct scp_option_table scp_transfer_table;

/* The target of a landmark is a Gaussian, 1 at its peak, cut to a stamp of w = (int)(5 sigma)
 * pixels, (w + 1) / 2 of them before the peak. Along each axis the stamp begins at (int)(p - w /
 * 2), p the place in pixels of the map, at most the last: cut toward zero, as in the released code,
 * so that the target of a point nearer than w / 2 to the first pixels may lie one pixel further in.
 *
 *     loss = weight * mean over items, landmarks and pixels of (map - target)^2
 *
 * points[items][landmarks][2] in pixels of a view of `side` pixels, at least 0; the maps are
 * square. The gradient goes to map->gradient, whole. */
enum scp_status scp_transfer_objective(double *loss, const struct scp_output *map,
                                       const float *points, size_t items, size_t landmarks,
                                       size_t side, const struct scp_transfer_options *options,
                                       const struct scp_control *control);

/* Where the map of one view is highest after a box blur of 9 x 9 pixels (zeros outside), the first
 * of equals; xy[landmarks][2] in pixels of a view of `side`, confidence[landmarks]: the height. */
enum scp_status scp_heat_peaks(double *xy, double *confidence, const struct scp_output *map,
                               size_t landmarks, size_t side, const struct scp_control *control);

/* As scp_contrast_training; graphs, faces and labels are borrowed. moving[moving_count]: layers of
 * the head, ascending, that learn. Models: features, which stand still, and head; groups: head.N
 * for the n-th layer that moves. */
enum { SCP_TRANSFER_MAX_LAYERS = 12 };
struct scp_transfer {
    const struct scp_graph *features, *head;
    const uint32_t *moving;
    size_t moving_count, side;
    const struct scp_faces *faces;
    const struct scp_face_labels *labels;
};
enum scp_status scp_transfer_training(struct scp_training *training,
                                      const struct scp_transfer *transfer,
                                      const struct scp_transfer_options *options,
                                      enum scp_making making, const struct scp_control *control);

#endif
