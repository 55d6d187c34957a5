#include "apps/s3_face.h"

#include "s3/service.h"
