/* What the functions of training share, in scp._core and in scp._testing. */
#ifndef SCP_PYTHON_TRAININGS_H
#define SCP_PYTHON_TRAININGS_H

#include "args.h"
#include "scp/active.h"
#include "scp/contrast.h"
#include "scp/refine.h"
#include "scp/supervise.h"
#include "scp/transfer.h"

#define POOL_ARG ARRAY("pool", float32, "[images][height][width]", .flags = KEEP, .note = "0 .. 1")
#define POOL {DATA(pool), SIZE(images), SIZE(height), SIZE(width)}

#define LABEL_ARGS                                                                                 \
    ARRAY("points", float32, "[images][landmarks][2]", .flags = KEEP,                              \
          .note = "pixels of the pool"),                                                           \
        ARRAY("weights", float32, "[images][landmarks]", .flags = KEEP, .note = "0 to 1"),         \
        ARRAY("labelled_rows", uint32, "[n_labelled]", .flags = KEEP),                             \
        ARRAY("pseudo_rows", uint32, "[n_pseudo]", .flags = KEEP)
#define SUPERVISE_LABEL_ARGS                                                                       \
    ARRAY("points", float32, "[images][landmarks][2]", .flags = KEEP,                              \
          .note = "pixels of the pool"),                                                           \
        ARRAY("weights", float32, "[images][landmarks]", .flags = KEEP, .note = "0 to 1")
#define SUPERVISE_LABELS {DATA(points), DATA(weights), SIZE(landmarks)}

#define FACES_ARG                                                                                  \
    ARRAY("faces", uint8, "[images][rows][rows][3]", .flags = KEEP, .note = "red, green, blue")
#define FACES {DATA(faces), SIZE(images), SIZE(rows)}
#define FACE_LABEL_ARGS                                                                            \
    ARRAY("points", float32, "[images][landmarks][2]", .flags = KEEP,                              \
          .note = "pixels of the faces"),                                                          \
        ARRAY("swaps", uint32, "[landmarks]", .flags = KEEP,                                       \
              .note = "what a landmark is in a mirror")
#define FACE_LABELS {DATA(points), DATA(swaps), SIZE(landmarks)}

#define LABELS                                                                                     \
    {DATA(points),      DATA(weights),    SIZE(landmarks), DATA(labelled_rows),                    \
     DATA(pseudo_rows), SIZE(n_labelled), SIZE(n_pseudo)}

#endif
