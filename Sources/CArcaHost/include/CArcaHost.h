#pragma once

#include "arca_archive.h"
#include "arca_process.h"
