# Runs an answer that is written in R, for the program beside it (in_r.py), which puts what it asks for into files and
# a line into the input. Like that program it is not to be trusted, nor has to be: it can only answer.
local({
  tag <- commandArgs(TRUE)[1]
  text <- function(x) {
    x <- enc2utf8(x)
    marks <- c("\\" = "\\\\", "\"" = "\\\"", "\n" = "\\n", "\r" = "\\r", "\t" = "\\t")
    for (mark in names(marks)) x <- gsub(mark, marks[[mark]], x, fixed = TRUE)
    paste0("\"", gsub("[[:cntrl:]]", "", x), "\"")
  }
  one <- function(x) {
    if (is.character(x)) return(if (is.na(x)) "[\"n\"]" else paste0("[\"s\",", text(x), "]"))
    if (is.nan(x) || is.infinite(x)) return(paste0("[\"f\",\"", tolower(as.character(x)), "\"]"))
    if (is.na(x)) return("[\"n\"]")
    if (is.logical(x)) return(if (x) "[\"b\",true]" else "[\"b\",false]")
    if (is.integer(x)) return(paste0("[\"i\",\"", x, "\"]"))
    paste0("[\"f\",\"", sprintf("%a", x), "\"]")
  }
  # A value in the typed form of madang.science.grading.typed: vectors are lists (one element alone is itself), lists
  # and vectors with names are mappings, as data frames are, by column.
  wire <- function(x, depth = 0) {
    if (is.null(x)) return("[\"n\"]")
    if (depth > 20) return("[\"o\",\"deep\"]")
    if (is.factor(x) || inherits(x, c("Date", "POSIXt"))) x <- as.character(x)
    names <- names(x)
    plain <- is.logical(x) || is.numeric(x) || is.character(x)
    if (!plain && !is.list(x)) return(paste0("[\"o\",", text(class(x)[1]), "]"))
    each <- if (plain) vapply(unname(as.vector(x)), one, "") else vapply(unname(unclass(x)), wire, "", depth + 1)
    if (!is.null(names)) {
      keys <- vapply(names, function(name) paste0("[\"s\",", text(name), "]"), "")
      return(paste0("[\"d\",[", paste0("[", keys, ",", each, "]", collapse = ","), "]]"))
    }
    if (plain && length(x) == 1) return(each)
    paste0("[\"l\",[", paste(each, collapse = ","), "]]")
  }
  answer <- function(said) {
    cat(said, file = "/tmp/answer.json")
    cat(paste0("\n", tag, "\n"))
  }
  asked <- file("stdin", "r")
  answer("{\"ready\": true}")
  while (length(line <- readLines(asked, 1)) > 0) {
    said <- tryCatch({
      if (line == "run") {
        eval(parse("/tmp/asked.R", encoding = "UTF-8", keep.source = FALSE), globalenv())
        "{\"done\": true}"
      } else if (!exists(line, globalenv(), inherits = FALSE)) {
        "{\"missing\": true}"
      } else {
        found <- get(line, globalenv(), inherits = FALSE)
        given <- eval(parse("/tmp/asked.R", encoding = "UTF-8", keep.source = FALSE), baseenv())
        paste0("{\"value\": ", wire(if (is.null(given)) found else do.call(found, given)), "}")
      }
    }, error = function(e) {
      kinds <- paste(vapply(class(e), text, ""), collapse = ",")
      paste0("{\"raised\": [", kinds, "], \"text\": ", text(substr(conditionMessage(e), 1, 400)), ", \"line\": 0}")
    })
    answer(said)
  }
})
