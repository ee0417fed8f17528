// expect: cycle 4:5
transfer settings {
    new.port = new.backlog;
    new.backlog = new.port;
}
