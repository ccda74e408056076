/* One item's loss at one level. Private to csrc/train. */
#ifndef SCP_TRAIN_CONTRAST_OBJECTIVE_H
#define SCP_TRAIN_CONTRAST_OBJECTIVE_H

#include "scp/contrast.h"

/* Cells top .. bottom - 1, left .. right - 1 of a level's grid. */
struct window {
    size_t top, bottom, left, right;
};

/* What an objective decides: which cells count around the positive at (row, column), and what is
 * added to their logits. bias NULL: nothing. */
struct objective {
    void (*window)(struct window *window, const struct scp_contrast_options *options, size_t level,
                   size_t height, size_t width, size_t row, size_t column);
    /* logits[right - left] of one row of cells, in place */
    void (*bias)(float *logits, const struct scp_contrast_options *options,
                 const struct window *window, size_t y, size_t row, size_t column);
};

extern const struct objective objective_windowed, objective_plain;

/* Where pair k lies at a level, (x, y) in cells of the maps of either view; 0: there is no pair. */
int pair_cells(size_t image_cell[2], size_t crop_cell[2], const struct scp_batch *batch, size_t k,
               const struct scp_output *image, const struct scp_output *crop);

#endif
