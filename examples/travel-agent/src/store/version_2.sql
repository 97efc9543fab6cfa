-- From version 1: an employee.
INSERT INTO employees (id, username, name, email, department, home_city) VALUES
    ('E1007', 'alice', 'Alice Novak', 'alice.novak@acmecorp.example', 'Marketing', 'DEN');
