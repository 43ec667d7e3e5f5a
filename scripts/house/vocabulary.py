"""The old private names, the phrases that only the authors understand, and what to say instead."""

# Identifiers of the old private vocabulary, and the words of today.
OLD_NAMES = {
    "Crew": "Runner",
    "Turns": "WorkerSlots",
    "Turn": "Slot",
    "Errand": "RemoteJob or ContainerSpec",
    "Came": "Finished or Detached",
    "Heard": "WorkerOutput",
    "hearing": "output",
    "Death": "ExitStatus",
    "epitaph": "a message of ExitStatus",
    "Copying": "RepoCopy",
    "Trial": "dry_run",
    "Extent": "RevisionScope",
    "Migrating": "ModalCopy",
    "Way": "RevisionRun, or what kind of way it is",
    "Ways": "Routes",
    "Whose": "the thing that is owned",
    "Wish": "options",
    "Here": "SourceRepo",
    "There": "DestinationRepo",
    "Standing": "ExistingFile",
    "Spoken": "ClaimedBlobs",
    "Arrived": "BlobResults",
    "HeldBack": "VerifyStream",
    "until_verified": "VerifyStream",
    "Dialect": "ErrorDecoder",
    "Words": "ErrorDecoder",
    "Told": "JsonResponse",
    "Grants": "TokenCache",
    "Turning": "Fallback",
    "in_words": "a name that says what the text is",
    "judge": "check, classify or decide",
    "see_through": "attach",
    "stays_hidden": "a name that says what is kept private",
    "likeness": "path_collisions",
    "recut": "chunking",
}

# Phrases that only the authors understand. They are looked for in comments and in the docs.
RIDDLES = {
    r"whose turn": "name the queue and the slot",
    r"(?:see|sees|seen|seeing) through": "attach to, or wait for, the run",
    r"what (?:came|comes) of": "name the result",
    r"judged? by": "checked by",
}
