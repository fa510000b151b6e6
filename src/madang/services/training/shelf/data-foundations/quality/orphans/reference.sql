SELECT m.person_id, count(*) AS n
FROM measurement AS m ANTI JOIN person AS p ON p.person_id = m.person_id
GROUP BY m.person_id
